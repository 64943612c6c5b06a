-- The recoveries that succeeded and of which it is known how long their longest step took. Only
-- these methods have works of several kinds; the last plan is the one that was carried out.
select method, node_id, host, data_directory, work_bytes, work_s,
       greatest(0, extract(epoch from ended_at - work_ended_at))::double precision as after_s,
       case when method in ('repoint', 'catch-up', 'command') then (
           select data #>> '{{work,kind}}' from {extension}.pgpool_recovery_event
            where run_id = id and kind = 'plan_made' order by number desc limit 1) end as kind
  from {extension}.pgpool_recovery_run
 where state = 'recovered' and method is not null and work_s > 0 and work_ended_at <= ended_at
   and (work_bytes > 0 or work_bytes = 0 and method = 'command')
 order by id desc
 limit 256
