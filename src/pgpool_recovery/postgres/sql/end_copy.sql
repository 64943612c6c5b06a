-- End the WAL senders of one node's copy: one sends the files and one the WAL.
select pg_catalog.pg_terminate_backend(pid)
  from pg_catalog.pg_stat_activity
 where backend_type = 'walsender'
   and (application_name = %(name)s
        or pid = (select active_pid from pg_catalog.pg_replication_slots
                   where slot_name = %(name)s))
