-- The connected standbys, as the primary sees them, without the WAL senders of base backups.
select r.state,
       s.slot_name::pg_catalog.text as slot_name,
       r.application_name,
       r.flush_lsn::pg_catalog.text as flushed,
       r.replay_lsn::pg_catalog.text as replayed,
       coalesce(pg_catalog.host(r.client_addr), '') as client,
       r.pid || ' since ' || extract(epoch from r.backend_start) as walsender
  from pg_catalog.pg_stat_replication as r
  left join pg_catalog.pg_replication_slots as s on s.active_pid = r.pid
 where r.state in ('startup', 'catchup', 'streaming')
