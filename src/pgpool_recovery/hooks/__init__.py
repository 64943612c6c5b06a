"""Run what Pgpool-II calls on its own host: failover_command and follow_primary_command."""
