-- Only while it runs a recovery: the process id on record may be another session's by now.
select pg_catalog.pg_cancel_backend(pid) as was_told
  from pg_catalog.pg_stat_activity
 where pid = %(pid)s::integer and state = 'active'
   and query ~* 'pgpool_(recovery|remote_start)\s*\('
