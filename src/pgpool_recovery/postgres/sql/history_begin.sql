-- The runner's session gets the run's name before others can see the row, and keeps it until its
-- connection ends; see _pgpool_recovery_is_alive() in the extension.
insert into {extension}.pgpool_recovery_run (
    recovery_id, node_id, host, data_directory, port, primary_host, primary_port, state,
    backend_pid)
values (%(recovery_id)s, %(node_id)s, %(host)s, %(data_directory)s, %(port)s, %(primary_host)s,
        %(primary_port)s, %(state)s, %(backend_pid)s)
returning id, node_id,
          pg_catalog.set_config('application_name', 'pgpool-recovery run ' || id, false)
