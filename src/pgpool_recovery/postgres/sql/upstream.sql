-- The primary's system identifier and WAL position.
select system_identifier::pg_catalog.text as system_identifier,
       pg_catalog.pg_current_wal_lsn()::pg_catalog.text as written
  from pg_catalog.pg_control_system()
