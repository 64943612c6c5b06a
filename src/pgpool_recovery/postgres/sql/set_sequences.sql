select count(setval(s.oid::oid::regclass, s.value)) as count
  from unnest(%(oids)s::bigint[], %(values)s::bigint[]) as s (oid, value)
