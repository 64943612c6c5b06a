-- The walsenders of one node's copy: pg_basebackup has one for the files and one for the WAL.
select pg_terminate_backend(pid)
  from pg_stat_activity
 where backend_type = 'walsender'
   and (application_name = %(name)s
        or pid = (select active_pid from pg_replication_slots where slot_name = %(name)s))
