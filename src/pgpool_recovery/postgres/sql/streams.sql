-- The standbys that stream now; a base backup is another kind of walsender.
select s.slot_name::text as slot_name, host(r.client_addr) as client_address, r.application_name
  from pg_stat_replication as r left join pg_replication_slots as s on s.active_pid = r.pid
 where r.state in ('streaming', 'catchup')
