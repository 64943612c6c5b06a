select pg_catalog.count(pg_catalog.setval(s.oid::pg_catalog.oid::pg_catalog.regclass, s.value))
           as count
  from rows from (pg_catalog.unnest(%(oids)s::bigint[]),  -- unnest(a, b) takes no schema.
                  pg_catalog.unnest(%(values)s::bigint[])) as s (oid, value)
