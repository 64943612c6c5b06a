-- The oldest WAL file of each timeline.
select pg_catalog.min(name) as name
  from pg_catalog.pg_ls_waldir()
 where name ~ '^[0-9A-F]{24}$'
 group by pg_catalog.left(name, 8)
