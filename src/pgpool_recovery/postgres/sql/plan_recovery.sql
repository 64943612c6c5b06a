select {extension}.pgpool_recovery_plan(
           %(host)s::pg_catalog.text, %(data_directory)s::pg_catalog.text,
           %(primary_port)s::pg_catalog.text, %(node_id)s::integer, %(port)s::pg_catalog.text,
           %(primary_host)s::pg_catalog.text) as plan
