-- Whether a role may call the functions that Pgpool-II calls; no row without the extension.
select coalesce(pg_catalog.bool_and(pg_catalog.has_function_privilege(r.oid, p.oid, 'execute')),
                false) as may_call
  from pg_catalog.pg_extension as e
  left join pg_catalog.pg_roles as r on r.rolname = %(role)s::pg_catalog.text
  left join pg_catalog.pg_depend as d
    on d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.refobjid = e.oid
   and d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.deptype = 'e'
  left join pg_catalog.pg_proc as p
    on p.oid = d.objid
   and (p.proname = 'pgpool_recovery' and p.pronargs = %(arguments)s
        or p.proname = 'pgpool_remote_start')
 where e.extname = 'pgpool_recovery' and (d.objid is null or p.oid is not null)
 group by e.oid
