-- A standby that receives no WAL reports its position only every wal_receiver_status_interval, ten
-- seconds by default. This writes a small WAL record, which has no other effect.
select pg_catalog.pg_logical_emit_message(true, 'pgpool_recovery', '')::pg_catalog.text as written
