-- The standbys that connect, as the primary sees them; a base backup is another walsender.
select r.application_name, r.state, r.sync_state, s.slot_name::text as slot_name,
       greatest(pg_wal_lsn_diff(pg_current_wal_lsn(), r.replay_lsn), 0)::bigint as lag_bytes,
       extract(epoch from r.replay_lag)::float8 as lag_s
  from pg_stat_replication as r left join pg_replication_slots as s on s.active_pid = r.pid
 where r.state in ('startup', 'catchup', 'streaming')
