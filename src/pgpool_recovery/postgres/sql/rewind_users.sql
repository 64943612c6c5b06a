-- Roles that may do what pg_rewind does (pgrewind.html), superusers last.
select r.rolname::pg_catalog.text as name
  from pg_catalog.pg_roles as r
 where r.rolcanlogin
   and (select pg_catalog.bool_and(pg_catalog.has_function_privilege(r.oid, f.name, 'execute'))
          from pg_catalog.unnest(array[
                   'pg_catalog.pg_ls_dir(text, boolean, boolean)',
                   'pg_catalog.pg_stat_file(text, boolean)',
                   'pg_catalog.pg_read_binary_file(text)',
                   'pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)']) as f(name))
 order by r.rolsuper, r.rolname
