-- Make a slot release all WAL before the current position.
select (pg_catalog.pg_replication_slot_advance(slot_name, pg_catalog.pg_current_wal_lsn())).end_lsn
       ::pg_catalog.text as held_from
  from pg_catalog.pg_replication_slots
 where slot_name = %(name)s
