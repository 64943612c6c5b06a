-- How far a server has come, and of which cluster it is. What a standby has received it replays
-- before it is promoted. Its control file may lag behind the timeline that it receives; its newest
-- WAL file does not.
select not pg_catalog.pg_is_in_recovery() as is_primary,
       greatest(c.timeline_id, r.min_recovery_end_timeline,
                (select pg_catalog.max(('x' || pg_catalog.left(name, 8))::bit(32)::int)
                   from pg_catalog.pg_ls_waldir()
                  where name ~ '^[0-9A-F]{24}$')) as timeline,
       (case when pg_catalog.pg_is_in_recovery()
             then greatest(pg_catalog.pg_last_wal_receive_lsn(),
                           pg_catalog.pg_last_wal_replay_lsn(), '0/0')
             else pg_catalog.pg_current_wal_lsn() end)::pg_catalog.text as position,
       s.system_identifier::pg_catalog.text as system_identifier
  from pg_catalog.pg_control_checkpoint() as c,
       pg_catalog.pg_control_recovery() as r,
       pg_catalog.pg_control_system() as s
