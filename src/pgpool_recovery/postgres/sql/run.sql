-- One recovery.
select h.id, h.node_id, h.host, h.data_directory, h.state, h.method,
       h.started_at, h.ended_at, extract(epoch from h.duration)::float8 as duration_s,
       h.moved_bytes, h.message, h.detail, h.hint, h.target_state, h.exit_status, r.plan
  from pgpool_recovery_history as h
  join pgpool_recovery_run as r using (id)
 where h.id = %(id)s
