-- The standbys that stream from this primary, with how much each still has to replay, and the data
-- directory of this server, whose path theirs have as well unless the settings say otherwise.
select s.slot_name::pg_catalog.text as slot_name,
       r.application_name,
       pg_catalog.host(r.client_addr) as client_address,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(),
           coalesce(r.replay_lsn, '0/0'::pg_catalog.pg_lsn))::pg_catalog.int8 as lag_bytes,
       pg_catalog.current_setting('data_directory') as data_directory
  from pg_catalog.pg_stat_replication as r
  left join pg_catalog.pg_replication_slots as s on s.active_pid = r.pid
 where r.state in ('streaming', 'catchup')
