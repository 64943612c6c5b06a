-- Begin a backup in this session, up to PostgreSQL 14.
select pg_catalog.pg_start_backup(%(label)s, true, false)::pg_catalog.text as lsn
