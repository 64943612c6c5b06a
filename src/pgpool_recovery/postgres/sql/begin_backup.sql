-- Begin a backup in this session, since PostgreSQL 15; it ends with the session at the latest.
select pg_catalog.pg_backup_start(%(label)s, true)::pg_catalog.text as lsn
