select {extension}.pgpool_remote_start(
           %(host)s::pg_catalog.text, %(data_directory)s::pg_catalog.text) as is_done
