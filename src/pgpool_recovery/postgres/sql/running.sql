-- What a server reports about its recovery. The WAL receiver's row has the timeline on which it
-- streams; the control file may lag behind it.
select pg_catalog.pg_is_in_recovery() as is_in_recovery,
       case when pg_catalog.pg_is_in_recovery()
            then pg_catalog.pg_is_wal_replay_paused() else false end as is_paused,
       greatest((select timeline_id from pg_catalog.pg_control_checkpoint()),
                (select min_recovery_end_timeline
                   from pg_catalog.pg_control_recovery())) as timeline,
       (select received_tli from pg_catalog.pg_stat_wal_receiver
         where status = 'streaming') as receiving,
       exists (select from pg_catalog.pg_stat_wal_receiver where pid is not null) as has_receiver,
       pg_catalog.pg_last_wal_receive_lsn()::pg_catalog.text as received,
       pg_catalog.pg_last_wal_replay_lsn()::pg_catalog.text as replayed,
       pg_catalog.current_setting('recovery_target_timeline') as recovery_target_timeline,
       (select coalesce(pg_catalog.json_object_agg(name, source), '{}') from pg_catalog.pg_settings
         where name = any (%(names)s)) as sources
