-- End one of our sessions and wait until it is gone.
select pg_catalog.pg_terminate_backend(pid, %(within_ms)s)
  from pg_catalog.pg_stat_activity
 where pid = %(pid)s
   and application_name = 'pgpool-recovery'
