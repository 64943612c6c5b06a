select pgpool_recovery(%(script)s::text, %(host)s::text, %(data_directory)s::text,
                       %(primary_port)s::text, %(node_id)s::integer, %(port)s::text,
                       %(primary_host)s::text) as is_done
