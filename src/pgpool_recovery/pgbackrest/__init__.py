"""Build the command lines of pgBackRest, and parse its output."""
