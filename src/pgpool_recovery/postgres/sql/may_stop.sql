-- Whether our role may call the function that stops a server.
select pg_catalog.has_function_privilege(p.oid, 'execute') as may_stop
  from pg_catalog.pg_proc as p
  join pg_catalog.pg_depend as d on d.objid = p.oid
   and d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.deptype = 'e'
   and d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
  join pg_catalog.pg_extension as e on e.oid = d.refobjid and e.extname = 'pgpool_recovery'
 where p.proname = 'pgpool_pgctl' and p.pronargs = 2
