GRANT SELECT ON @extschema@.pgpool_recovery_run, @extschema@.pgpool_recovery_event,
    @extschema@.pgpool_recovery_progress, @extschema@.pgpool_recovery_history TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@._pgpool_recovery_is_alive(bigint) TO pg_monitor;
