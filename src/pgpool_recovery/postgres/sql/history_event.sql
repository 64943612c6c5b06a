insert into {extension}.pgpool_recovery_event (run_id, number, kind, line, data)
values (%(id)s, %(number)s, %(kind)s, %(line)s, %(data)s::pg_catalog.jsonb)
returning number
