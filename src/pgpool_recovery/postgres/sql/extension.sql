-- Put the extension's schema on the search path, and say what this database's extension has.
select e.extversion as version,
       set_config('search_path', quote_ident(n.nspname) || ', pg_temp', false) as search_path,
       to_regclass(quote_ident(n.nspname) || '.pgpool_recovery_history') is not null as has_history,
       to_regprocedure(quote_ident(n.nspname)
           || '.pgpool_recovery_plan(text,text,text,integer,text,text)') is not null as has_plan,
       to_regprocedure(quote_ident(n.nspname)
           || '.pgpool_recovery_check(jsonb)') is not null as has_check
  from pg_extension as e join pg_namespace as n on n.oid = e.extnamespace
 where e.extname = 'pgpool_recovery'
