-- Whether our role may call the functions of a recovery; both must be members of the extension.
select pg_catalog.current_user()::pg_catalog.text as role,
       coalesce(pg_catalog.bool_and(
           pg_catalog.has_function_privilege(p.oid, 'execute')), false) as may_recover
  from pg_catalog.pg_extension as e
  join pg_catalog.pg_depend as d
    on d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.refobjid = e.oid
   and d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.deptype = 'e'
  join pg_catalog.pg_proc as p
    on p.oid = d.objid
   and (p.proname = 'pgpool_recovery' and p.pronargs = 7 or p.proname = 'pgpool_remote_start')
 where e.extname = 'pgpool_recovery'
