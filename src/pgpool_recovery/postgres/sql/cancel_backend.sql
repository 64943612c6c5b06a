-- Cancel a session only while it runs a recovery: the recorded process ID may belong to another
-- session by now. The application_name shows the cancelled session who cancelled it.
select pg_catalog.set_config('application_name', 'pgpool-recovery cancel ' || pid, false) as name,
       pg_catalog.pg_cancel_backend(pid) as was_told
  from pg_catalog.pg_stat_activity
 where pid = %(pid)s::integer and state = 'active'
   and query ~* 'pgpool_(recovery|remote_start)\s*\('
