-- The sessions whose application_name holds an agreement, the newest first. Any role can set such a
-- name, so only the sessions of roles that may recover nodes count.
select a.pid, a.application_name, a.usename::pg_catalog.text as role
  from pg_catalog.pg_stat_activity as a
  join pg_catalog.pg_roles as r
    on r.oid = a.usesysid
 where a.backend_type = 'client backend'
   and pg_catalog.starts_with(a.application_name, %(head)s::pg_catalog.text)
   and (r.rolsuper
        or (select coalesce(pg_catalog.bool_and(
                       pg_catalog.has_function_privilege(r.oid, p.oid, 'execute')), false)
              from pg_catalog.pg_extension as e
              join pg_catalog.pg_depend as d
                on d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
               and d.refobjid = e.oid
               and d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
               and d.deptype = 'e'
              join pg_catalog.pg_proc as p
                on p.oid = d.objid
               and (p.proname = 'pgpool_recovery' and p.pronargs = 7
                    or p.proname = 'pgpool_remote_start')
             where e.extname = 'pgpool_recovery'))
 order by a.backend_start desc, a.pid desc
