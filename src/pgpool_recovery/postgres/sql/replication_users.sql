-- Roles that may replicate, those by which standbys stream now first, a superuser last.
select usename::pg_catalog.text as name, 1 as preference
  from pg_catalog.pg_stat_replication where usename is not null
union all
select rolname::pg_catalog.text, case when rolsuper then 3 else 2 end
  from pg_catalog.pg_roles where rolcanlogin and (rolreplication or rolsuper)
 order by preference, name
