"""The method incremental: the server's incremental base backup, applied to the stale directory."""
