-- A standby's own slots, without those that it synchronises from its primary (17 and later).
select s.slot_name::pg_catalog.text as name, s.slot_type = 'physical' as is_physical,
       s.active as is_active,
       coalesce((pg_catalog.to_jsonb(s) ->> 'failover')::boolean, false) as is_failover,
       s.xmin is not null or s.catalog_xmin is not null as holds_xmin,
       coalesce(pg_catalog.pg_wal_lsn_diff(
           pg_catalog.pg_last_wal_replay_lsn(), s.restart_lsn), 0)::bigint as kept_bytes
  from pg_catalog.pg_replication_slots as s
 where pg_catalog.pg_is_in_recovery() and not s.temporary
   and not coalesce((pg_catalog.to_jsonb(s) ->> 'synced')::boolean, false)
 order by s.slot_name
