-- The standbys that stream now, without the WAL senders of base backups.
select s.slot_name::pg_catalog.text as slot_name,
       pg_catalog.host(r.client_addr) as client_address, r.application_name
  from pg_catalog.pg_stat_replication as r
  left join pg_catalog.pg_replication_slots as s on s.active_pid = r.pid
 where r.state in ('streaming', 'catchup')
