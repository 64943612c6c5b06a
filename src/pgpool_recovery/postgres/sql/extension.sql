-- The extension in this database: where it is, and what of ours is its own. In its schema others
-- may have made what an older version of it has not; that is never called.
select e.extversion as version, n.nspname as schema,
       pg_catalog.getdatabaseencoding() = 'UTF8' as is_utf8,
       array(select c.relname::pg_catalog.text
               from pg_catalog.pg_depend as d
               join pg_catalog.pg_class as c on c.oid = d.objid and c.relnamespace = n.oid
              where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                and d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
                and d.refobjid = e.oid and d.deptype = 'e'
              union all
             select p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')'
               from pg_catalog.pg_depend as d
               join pg_catalog.pg_proc as p on p.oid = d.objid and p.pronamespace = n.oid
              where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                and d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
                and d.refobjid = e.oid and d.deptype = 'e') as members
  from pg_catalog.pg_extension as e
  join pg_catalog.pg_namespace as n on n.oid = e.extnamespace
 where e.extname = 'pgpool_recovery'
