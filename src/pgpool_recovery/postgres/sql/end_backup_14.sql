-- End the backup of this session, up to PostgreSQL 14, and return its backup_label.
select labelfile from pg_catalog.pg_stop_backup(false, false)
