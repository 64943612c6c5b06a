-- End the backup. What a base backup contains last is returned; the WAL is retained by the slot.
select labelfile as label from pg_catalog.pg_backup_stop(false)
