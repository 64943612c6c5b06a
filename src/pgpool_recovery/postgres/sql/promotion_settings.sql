-- The settings that must not be lower on a standby than on its primary. Replay stops at the WAL
-- record with the higher value, and a promotion then shuts the server down
-- (CheckRequiredParameterValues). And how long a shutdown waits for standbys, since 19.
select name::pg_catalog.text as name, setting::bigint as value
  from pg_catalog.pg_settings
 where name operator(pg_catalog.=) any (array[
           'max_connections', 'max_worker_processes', 'max_wal_senders',
           'max_prepared_transactions', 'max_locks_per_transaction',
           'wal_sender_shutdown_timeout'])
