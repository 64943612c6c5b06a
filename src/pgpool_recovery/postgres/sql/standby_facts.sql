-- What a standby reports about itself, for domain/standby.py. A role that may not see the WAL
-- receiver sees only its pid. The control file has positions that replay has reached, each with its
-- timeline.
select pg_catalog.pg_is_in_recovery() as is_in_recovery,
       s.system_identifier::pg_catalog.text as system_identifier,
       case when pg_catalog.pg_is_in_recovery()
            then pg_catalog.pg_get_wal_replay_pause_state() else 'not paused' end as pause_state,
       (select coalesce(pg_catalog.array_agg(name order by name), '{}')
          from pg_catalog.pg_settings
         where name = any (array['recovery_target', 'recovery_target_lsn', 'recovery_target_name',
                                 'recovery_target_time', 'recovery_target_xid'])
           and setting <> '') as targets,
       (select setting::int from pg_catalog.pg_settings
         where name = 'recovery_min_apply_delay') as delay_ms,
       nullif(pg_catalog.current_setting('primary_slot_name'), '') as wanted_slot,
       pg_catalog.pg_has_role('pg_read_all_stats', 'usage') as sees_receiver,
       r.pid is not null as has_receiver,
       r.status as receiver,
       r.slot_name::pg_catalog.text as slot_name,
       coalesce(substring(r.conninfo from '(?:^| )application_name=(.*?)(?: [a-z_]+=|$)'),
                substring(r.conninfo from 'fallback_application_name=(.*?)(?: [a-z_]+=|$)'))
           as application_name,
       case when r.status in ('streaming', 'waiting') then r.received_tli end as receiving,
       r.flushed_lsn::pg_catalog.text as received,
       pg_catalog.pg_last_wal_replay_lsn()::pg_catalog.text as replayed,
       exists (select from pg_catalog.pg_stat_activity as a
                where a.backend_type = 'startup'
                  and a.wait_event = 'RecoveryRetrieveRetryInterval') as lacks_wal,
       c.timeline_id as checkpoint_timeline,
       c.checkpoint_lsn::pg_catalog.text as checkpoint,
       m.min_recovery_end_timeline as end_timeline,
       nullif(m.min_recovery_end_lsn, '0/0')::pg_catalog.text as minimum_end
  from pg_catalog.pg_control_system() as s
 cross join pg_catalog.pg_control_checkpoint() as c
 cross join pg_catalog.pg_control_recovery() as m
  left join pg_catalog.pg_stat_wal_receiver as r on true
