-- A server's WAL position, its cluster, and what decides whether it can be promoted. A standby
-- replays all WAL that it has received before it is promoted. Its control file may lag behind the
-- timeline that it receives; its newest WAL file does not.
select not pg_catalog.pg_is_in_recovery() as is_primary,
       greatest(c.timeline_id, r.min_recovery_end_timeline,
                (select pg_catalog.max(('x' || pg_catalog.left(name, 8))::bit(32)::int)
                   from pg_catalog.pg_ls_waldir()
                  where name ~ '^[0-9A-F]{24}$')) as timeline,
       (case when pg_catalog.pg_is_in_recovery()
             then greatest(pg_catalog.pg_last_wal_receive_lsn(),
                           pg_catalog.pg_last_wal_replay_lsn(), '0/0')
             else pg_catalog.pg_current_wal_lsn() end)::pg_catalog.text as position,
       pg_catalog.pg_last_wal_replay_lsn()::pg_catalog.text as replayed,
       s.system_identifier::pg_catalog.text as system_identifier,
       case when pg_catalog.pg_is_in_recovery()
            then pg_catalog.pg_get_wal_replay_pause_state() <> 'not paused'
            else false end as is_paused,
       w.status as receiver,
       w.slot_name::pg_catalog.text as slot_name,
       w.sender_host || ':' || w.sender_port as sender,
       extract(epoch from w.last_msg_receipt_time)::double precision as heard_at,
       pg_catalog.has_function_privilege(
           'pg_catalog.pg_promote(boolean, integer)', 'execute') as may_promote,
       (select pg_catalog.json_object_agg(g.name, g.setting) from pg_catalog.pg_settings as g
         where g.name = any (%(names)s)) as settings
  from pg_catalog.pg_control_checkpoint() as c,
       pg_catalog.pg_control_recovery() as r,
       pg_catalog.pg_control_system() as s
  left join pg_catalog.pg_stat_wal_receiver as w on true
