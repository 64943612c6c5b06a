-- The last recoveries, the newest first.
select id, node_id, host, data_directory, state, method, started_at, ended_at,
       extract(epoch from duration)::double precision as duration_s, moved_bytes, message, detail,
       hint, target_state, exit_status
  from {extension}.pgpool_recovery_history
 order by id desc
 limit %(count)s
