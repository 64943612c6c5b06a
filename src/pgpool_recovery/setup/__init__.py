"""Set a running cluster up for recoveries, host by host, and undo exactly that."""
