-- The recoveries that succeeded and of which it is known how long their longest step took.
select method, node_id, host, data_directory, work_bytes, work_s,
       greatest(0, extract(epoch from ended_at - work_ended_at))::double precision as after_s
  from {extension}.pgpool_recovery_run
 where state = 'recovered' and method is not null and work_bytes > 0 and work_s > 0
   and work_ended_at <= ended_at
 order by id desc
 limit 256
