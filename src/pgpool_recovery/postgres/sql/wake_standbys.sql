-- A standby to which nothing is sent says only every wal_receiver_status_interval, usually ten
-- seconds, how far it is. This is a small record in the WAL, and nothing else.
select pg_catalog.pg_logical_emit_message(true, 'pgpool_recovery', '')::pg_catalog.text as written
