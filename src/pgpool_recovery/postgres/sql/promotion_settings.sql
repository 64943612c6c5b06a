-- The settings that a standby must not have lower than its primary: it stops replaying at the
-- record that says so, and a promotion then shuts it down (CheckRequiredParameterValues).
select name::pg_catalog.text as name, setting::bigint as value
  from pg_catalog.pg_settings
 where name operator(pg_catalog.=) any (array[
           'max_connections', 'max_worker_processes', 'max_wal_senders',
           'max_prepared_transactions', 'max_locks_per_transaction'])
