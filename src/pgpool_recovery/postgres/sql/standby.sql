-- The standby that streams by a slot, and how far it is behind a position of the primary.
select r.state,
       r.replay_lsn::pg_catalog.text as replayed,
       greatest(pg_catalog.pg_wal_lsn_diff(
           %(position)s::pg_catalog.text::pg_catalog.pg_lsn, r.replay_lsn), 0)::bigint
           as behind_bytes
  from pg_catalog.pg_replication_slots as s
  join pg_catalog.pg_stat_replication as r on r.pid = s.active_pid
 where s.slot_name = %(name)s
