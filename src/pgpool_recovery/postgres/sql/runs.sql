-- The last recoveries, the newest first.
select h.id, h.node_id, h.host, h.data_directory, h.state, h.method, h.started_at, h.ended_at,
       extract(epoch from h.duration)::double precision as duration_s, h.moved_bytes, h.message,
       h.detail, h.hint, h.target_state, h.exit_status, r.step, r.steps, r.sentence
  from {extension}.pgpool_recovery_history as h
  join {extension}.pgpool_recovery_run as r using (id)
 order by h.id desc
 limit %(count)s
