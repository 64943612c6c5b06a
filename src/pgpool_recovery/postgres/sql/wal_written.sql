-- How much WAL was written since the last checkpoint began, and since the statistics were reset.
select pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), c.redo_lsn)::double precision
           as recent_bytes,
       extract(epoch from pg_catalog.clock_timestamp() - c.checkpoint_time)::double precision
           as recent_s,
       w.wal_bytes::double precision as counted_bytes,
       extract(epoch from pg_catalog.clock_timestamp() - w.stats_reset)::double precision
           as counted_s
  from pg_catalog.pg_control_checkpoint() as c, pg_catalog.pg_stat_wal as w
