-- Roles that may replicate: first those that standbys use now, superusers last.
select usename::pg_catalog.text as name, 1 as preference
  from pg_catalog.pg_stat_replication where usename is not null
union all
select rolname::pg_catalog.text, case when rolsuper then 3 else 2 end
  from pg_catalog.pg_roles where rolcanlogin and (rolreplication or rolsuper)
 order by preference, name
