-- Confirm to the session that holds an agreement that it has been read, until this session ends.
select pg_catalog.pg_try_advisory_lock_shared(%(class)s::integer, %(pid)s::integer) as is_said
