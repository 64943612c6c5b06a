-- Held until the connection ends; see _pgpool_recovery_is_alive() in the extension.
select pg_try_advisory_lock(1885827186, (%(id)s & 2147483647)::integer) as is_held
