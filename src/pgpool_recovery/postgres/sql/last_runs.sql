-- The last recorded recovery of each node, which is identified by its ID or else by its place.
select distinct on (node_id, place)
       node_id, host, data_directory, state, method,
       extract(epoch from started_at)::double precision as started_s,
       extract(epoch from ended_at - started_at)::double precision as duration_s,
       moved_bytes, done_bytes, total_bytes, exit_status
  from (select *, case when node_id is null then array[host, data_directory] end as place
          from {extension}.pgpool_recovery_run) as run
 order by node_id, place, id desc
 limit 256
