-- The connected standbys, as the primary sees them, without the WAL senders of base backups.
select r.application_name, r.state, r.sync_state, s.slot_name::pg_catalog.text as slot_name,
       -- A negative lag means wrong data: it has replayed WAL that this server has not written.
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.replay_lsn)::bigint
           as lag_bytes,
       extract(epoch from r.replay_lag)::double precision as lag_s
  from pg_catalog.pg_stat_replication as r
  left join pg_catalog.pg_replication_slots as s on s.active_pid = r.pid
 where r.state in ('startup', 'catchup', 'streaming')
