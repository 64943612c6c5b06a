select slot_type = 'physical' as is_physical, active as is_active, active_pid, wal_status,
       restart_lsn::text as restart_lsn,
       pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint as behind_bytes
  from pg_replication_slots
 where slot_name = %(name)s
