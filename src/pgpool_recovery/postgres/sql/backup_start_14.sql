-- PostgreSQL 14: the same as backup_start, without an exclusive backup, which would leave a file.
select pg_catalog.pg_start_backup(%(label)s::pg_catalog.text, true, false)::pg_catalog.text as lsn
