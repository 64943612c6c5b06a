-- The recoveries that have not ended, the oldest first.
select id, node_id, host, data_directory, state, method, step, steps, sentence, done_bytes,
       total_bytes, bytes_per_s, seconds_left::double precision as seconds_left,
       run_seconds_left::double precision as run_seconds_left, started_at,
       extract(epoch from elapsed)::double precision as elapsed_s, backend_pid
  from {extension}.pgpool_recovery_progress
 order by id
