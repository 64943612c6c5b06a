-- The extension in this database: its schema and its members. Other roles may have created objects
-- there with names that an older version of the extension lacks; those are never called.
--
-- `foreign_*` describes what belongs to a role that is not a superuser: the owner of the schema,
-- for example, can rename it and create another one of its name at any time. pg_database_owner
-- stands for the owner of the database. Only a superuser can change the owner of a superuser's
-- objects, so the answer stays true while the session lasts.
with installed as (
    select e.oid, e.extversion, e.extowner, n.oid as schema_oid, n.nspname,
           case when r.rolname = 'pg_database_owner' then d.datdba else n.nspowner end
               as schema_owner
      from pg_catalog.pg_extension as e
      join pg_catalog.pg_namespace as n on n.oid = e.extnamespace
      join pg_catalog.pg_database as d on d.datname = pg_catalog.current_database()
      left join pg_catalog.pg_roles as r on r.oid = n.nspowner
     where e.extname = 'pgpool_recovery'
),
member as (
    select c.relname::pg_catalog.text as name, 'relation' as kind, c.relowner as owner
      from installed as i
      join pg_catalog.pg_depend as d on d.refobjid = i.oid
      join pg_catalog.pg_class as c on c.oid = d.objid and c.relnamespace = i.schema_oid
     where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
       and d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.deptype = 'e'
     union all
    select p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')',
           'function', p.proowner
      from installed as i
      join pg_catalog.pg_depend as d on d.refobjid = i.oid
      join pg_catalog.pg_proc as p on p.oid = d.objid and p.pronamespace = i.schema_oid
     where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
       and d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.deptype = 'e'
),
foreigner as (
    select o.kind, o.name, pg_catalog.pg_get_userbyid(o.owner)::pg_catalog.text as role
      from (select 1 as place, 'schema' as kind, pg_catalog.quote_ident(i.nspname) as name,
                   i.schema_owner as owner
              from installed as i
             union all
            select 2, 'extension', 'pgpool_recovery', i.extowner from installed as i
             union all
            select 3, m.kind, m.name, m.owner from member as m) as o
      left join pg_catalog.pg_roles as r on r.oid = o.owner
     where r.rolsuper is not true
     order by o.place, o.name
     limit 1
)
select i.extversion as version, i.nspname as schema,
       pg_catalog.getdatabaseencoding() = 'UTF8' as is_utf8,
       array(select m.name from member as m) as members,
       pg_catalog.current_database() as database,
       f.kind as foreign_kind, f.name as foreign_name, f.role as foreign_role
  from installed as i
  left join foreigner as f on true
