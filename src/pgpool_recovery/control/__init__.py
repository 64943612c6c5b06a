"""What the commands for people do, on PCP and SQL alone."""
