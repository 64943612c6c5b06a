-- What a server reports about itself and, on a standby, from where it streams.
select pg_catalog.pg_is_in_recovery() as is_in_recovery,
       pg_catalog.current_setting('server_version') as version,
       (case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn()
             else pg_catalog.pg_current_wal_lsn() end)::pg_catalog.text as position,
       r.status as receiver,
       r.slot_name::pg_catalog.text as slot_name,
       r.sender_host || ':' || r.sender_port as sender,
       coalesce(substring(r.conninfo from '(?:^| )application_name=(.*?)(?: [a-z_]+=|$)'),
                substring(r.conninfo from 'fallback_application_name=(.*?)(?: [a-z_]+=|$)'))
           as application_name
  from (select 1) as one left join pg_catalog.pg_stat_wal_receiver as r on true
