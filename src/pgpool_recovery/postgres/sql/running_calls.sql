-- The sessions that run a recovery now, found by the function that they call. This also finds calls
-- of an extension that records no history.
select pid, query
  from pg_catalog.pg_stat_activity
 where state = 'active'
   and query ~* 'pgpool_(recovery|remote_start)\s*\('
   and pid <> pg_catalog.pg_backend_pid()
