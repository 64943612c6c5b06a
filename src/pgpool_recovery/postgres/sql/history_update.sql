update {extension}.pgpool_recovery_run
   set method = %(method)s, plan = %(plan)s, step = %(step)s, steps = %(steps)s,
       sentence = %(sentence)s, done_bytes = %(done_bytes)s, total_bytes = %(total_bytes)s,
       bytes_per_s = %(bytes_per_s)s, moved_bytes = %(moved_bytes)s,
       work_bytes = %(work_bytes)s, work_s = %(work_s)s,
       work_ended_at = case when %(work_s)s::double precision is not null
                            then coalesce(work_ended_at, pg_catalog.clock_timestamp()) end,
       expected_end_at = pg_catalog.clock_timestamp()
                         + pg_catalog.make_interval(secs => %(left_s)s)
 where id = %(id)s
returning id
