-- The remote start goes on with the run whose first stage has prepared its target.
update pgpool_recovery_run
   set state = 'starting', backend_pid = %(backend_pid)s, step = null, steps = null,
       sentence = 'start the server', exit_status = null
 where id = (select max(id) from pgpool_recovery_run
              where host = %(host)s and data_directory = %(data_directory)s
                and state = 'copied' and ended_at is null)
returning id, node_id, pg_try_advisory_lock(1885827186, (id & 2147483647)::integer) as is_held,
          (select coalesce(max(number), 0) from pgpool_recovery_event as e
            where e.run_id = pgpool_recovery_run.id) as events
