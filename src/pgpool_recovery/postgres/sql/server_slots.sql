-- The slots of a server, primary or standby, and the WAL that they retain there.
select slot_name::pg_catalog.text as name, slot_type = 'physical' as is_physical,
       active as is_active, wal_status,
       coalesce(pg_catalog.pg_wal_lsn_diff(
           case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn()
                else pg_catalog.pg_current_wal_lsn() end,
           restart_lsn), 0)::bigint as kept_bytes,
       -- Columns of 17 and later.
       coalesce((pg_catalog.to_jsonb(s) ->> 'failover')::boolean, false) as is_failover,
       coalesce((pg_catalog.to_jsonb(s) ->> 'synced')::boolean, false) as is_synced,
       temporary as is_temporary,
       pg_catalog.to_jsonb(s) ->> 'invalidation_reason' as invalidation_reason,
       xmin is not null or catalog_xmin is not null as holds_xmin
  from pg_catalog.pg_replication_slots as s
 where not temporary or coalesce((pg_catalog.to_jsonb(s) ->> 'synced')::boolean, false)
 order by slot_name
