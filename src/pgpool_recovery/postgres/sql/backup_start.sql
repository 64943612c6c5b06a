-- Begin a backup of this server's files, with a checkpoint at once; it ends with the session.
select pg_catalog.pg_backup_start(%(label)s::pg_catalog.text, true)::pg_catalog.text as lsn
