-- The oldest WAL file of each timeline.
select min(name) as name
  from pg_ls_waldir()
 where name ~ '^[0-9A-F]{24}$'
 group by left(name, 8)
