-- One recovery; whether its runner still lives is for the view to say.
select h.id, h.node_id, h.host, h.data_directory, coalesce(p.state, h.state) as state, h.method,
       h.started_at, h.ended_at, extract(epoch from h.duration)::float8 as duration_s,
       h.moved_bytes, h.message, h.detail, h.hint, h.target_state, h.exit_status, r.plan
  from pgpool_recovery_history as h
  join pgpool_recovery_run as r using (id)
  left join pgpool_recovery_progress as p using (id)
 where h.id = %(id)s
