-- One recovery.
select h.id, h.node_id, h.host, h.data_directory, h.state, h.method,
       h.started_at, h.ended_at, extract(epoch from h.duration)::double precision as duration_s,
       h.moved_bytes, h.message, h.detail, h.hint, h.target_state, h.exit_status, r.step, r.steps,
       r.sentence, r.plan
  from {extension}.pgpool_recovery_history as h
  join {extension}.pgpool_recovery_run as r using (id)
 where h.id = %(id)s
