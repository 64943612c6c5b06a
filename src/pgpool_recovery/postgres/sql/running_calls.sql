-- The sessions that run a recovery now, by what they call: also of an extension without a record.
select pid, query
  from pg_catalog.pg_stat_activity
 where state = 'active'
   and query ~* 'pgpool_(recovery|remote_start)\s*\('
   and pid <> pg_catalog.pg_backend_pid()
