select pgpool_remote_start(%(host)s::text, %(data_directory)s::text) as is_done
