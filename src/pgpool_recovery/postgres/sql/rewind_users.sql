-- Roles that may do what pg_rewind does (pgrewind.html), superusers last.
select rolname::text as name
  from pg_roles
 where rolcanlogin
   and has_function_privilege(oid, 'pg_ls_dir(text, boolean, boolean)', 'execute')
   and has_function_privilege(oid, 'pg_stat_file(text, boolean)', 'execute')
   and has_function_privilege(oid, 'pg_read_binary_file(text)', 'execute')
   and has_function_privilege(oid, 'pg_read_binary_file(text, bigint, bigint, boolean)', 'execute')
 order by rolsuper, rolname
