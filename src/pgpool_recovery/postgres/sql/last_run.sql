select coalesce(max(id), 0) as id from pgpool_recovery_run
