select pg_cancel_backend(%(pid)s::integer) as was_told
