select coalesce(pg_catalog.max(id), 0) as id from {extension}.pgpool_recovery_run
