-- The recoveries that have not ended, the oldest first.
select id, node_id, host, data_directory, state, method, step, steps, sentence, done_bytes,
       total_bytes, bytes_per_s, seconds_left::float8 as seconds_left, started_at,
       extract(epoch from elapsed)::float8 as elapsed_s, backend_pid
  from pgpool_recovery_progress
 order by id
