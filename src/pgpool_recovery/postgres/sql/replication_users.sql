-- Roles that may replicate, those by which standbys stream now first, a superuser last.
select usename::text as name, 1 as preference from pg_stat_replication where usename is not null
union all
select rolname::text, case when rolsuper then 3 else 2 end
  from pg_roles where rolcanlogin and (rolreplication or rolsuper)
 order by preference, name
