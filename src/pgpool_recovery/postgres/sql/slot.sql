select slot_type = 'physical' as is_physical, active as is_active, active_pid, wal_status,
       restart_lsn::pg_catalog.text as restart_lsn,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn)::bigint
           as behind_bytes,
       safe_wal_size as room_bytes,
       pg_catalog.to_jsonb(s) ->> 'invalidation_reason' as invalidation_reason
  from pg_catalog.pg_replication_slots as s
 where slot_name = %(name)s
