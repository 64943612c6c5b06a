-- Only while it runs a recovery: the process id on record may be another session's by now.
-- The name tells the session that is cancelled who does it.
select pg_catalog.set_config('application_name', 'pgpool-recovery cancel ' || pid, false) as name,
       pg_catalog.pg_cancel_backend(pid) as was_told
  from pg_catalog.pg_stat_activity
 where pid = %(pid)s::integer and state = 'active'
   and query ~* 'pgpool_(recovery|remote_start)\s*\('
