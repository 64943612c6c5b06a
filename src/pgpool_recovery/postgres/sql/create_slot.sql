-- The slot reserves WAL at once, not only when the standby connects for the first time.
select slot_name
  from pg_catalog.pg_create_physical_replication_slot(%(name)s, immediately_reserve => true)
