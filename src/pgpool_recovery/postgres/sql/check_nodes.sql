select severity, node_id, fact, advice
  from {extension}.pgpool_recovery_check(%(nodes)s::pg_catalog.text::pg_catalog.jsonb)
