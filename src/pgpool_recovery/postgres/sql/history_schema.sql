-- Find the tables of the history where the extension is; no row when it has none here.
select set_config('search_path', quote_ident(n.nspname), false) as path,
       getdatabaseencoding() = 'UTF8' as is_utf8
  from pg_extension as e
  join pg_namespace as n on n.oid = e.extnamespace
  join pg_class as c on c.relnamespace = n.oid and c.relname = 'pgpool_recovery_run'
 where e.extname = 'pgpool_recovery'
