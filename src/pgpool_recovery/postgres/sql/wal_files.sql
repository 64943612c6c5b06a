-- The names of all WAL files.
select name
  from pg_catalog.pg_ls_waldir()
 where name ~ '^[0-9A-F]{24}$'
