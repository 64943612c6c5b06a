select pg_catalog.pg_promote(true, %(timeout_s)s) as is_promoted
