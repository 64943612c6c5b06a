-- What a server says of itself; a standby also from whom it streams.
select pg_is_in_recovery() as is_in_recovery,
       current_setting('server_version') as version,
       (case when pg_is_in_recovery() then pg_last_wal_replay_lsn()
             else pg_current_wal_lsn() end)::text as position,
       r.status as receiver,
       r.slot_name::text as slot_name,
       r.sender_host || ':' || r.sender_port as sender,
       substring(r.conninfo from '(?:^| )application_name=''?([^ '']+)') as application_name
  from (select 1) as one left join pg_stat_wal_receiver as r on true
