select slot_name as name, slot_type = 'physical' as is_physical, active as is_active, wal_status,
       coalesce(case when not pg_catalog.pg_is_in_recovery() then
           pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn) end, 0)::bigint
           as kept_bytes,
       -- Columns of 17 and later.
       coalesce((pg_catalog.to_jsonb(s) ->> 'failover')::boolean, false) as is_failover,
       coalesce((pg_catalog.to_jsonb(s) ->> 'synced')::boolean, false) as is_synced,
       temporary as is_temporary,
       pg_catalog.to_jsonb(s) ->> 'invalidation_reason' as invalidation_reason
  from pg_catalog.pg_replication_slots as s
