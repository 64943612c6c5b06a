select slot_type = 'physical' as is_physical, active as is_active, active_pid, wal_status,
       restart_lsn::pg_catalog.text as restart_lsn,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn)::bigint
           as behind_bytes
  from pg_catalog.pg_replication_slots
 where slot_name = %(name)s
