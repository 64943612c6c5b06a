-- The position from which a physical slot retains WAL; no row if it retains none, or has lost it.
select active as is_active, restart_lsn::pg_catalog.text as held_from
  from pg_catalog.pg_replication_slots
 where slot_name = %(name)s and slot_type = 'physical' and restart_lsn is not null
   and wal_status in ('reserved', 'extended')
