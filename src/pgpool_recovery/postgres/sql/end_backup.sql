-- End the backup of this session, since PostgreSQL 15, and return its backup_label.
select labelfile from pg_catalog.pg_backup_stop(false)
