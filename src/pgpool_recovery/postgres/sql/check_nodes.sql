select severity, node_id, fact, advice from pgpool_recovery_check(%(nodes)s::text::jsonb)
