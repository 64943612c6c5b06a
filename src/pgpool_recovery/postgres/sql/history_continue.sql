-- The remote start continues the run whose first stage has prepared its target.
update {extension}.pgpool_recovery_run
   set state = 'starting', backend_pid = %(backend_pid)s, step = null, steps = null,
       sentence = 'start the server', exit_status = null
 where id = (select pg_catalog.max(id) from {extension}.pgpool_recovery_run
              where host = %(host)s and data_directory = %(data_directory)s
                and state = 'copied' and ended_at is null)
returning id, node_id, method, target_state is not null as is_started,
          pg_catalog.set_config('application_name', 'pgpool-recovery run ' || id, false),
          (select coalesce(pg_catalog.max(number), 0) from {extension}.pgpool_recovery_event as e
            where e.run_id = pgpool_recovery_run.id) as events
