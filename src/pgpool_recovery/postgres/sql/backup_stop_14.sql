-- PostgreSQL 14: the same as backup_stop.
select labelfile as label from pg_catalog.pg_stop_backup(false, false)
