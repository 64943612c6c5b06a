-- Which of these files exist in the data directory.
select name, (pg_catalog.pg_stat_file(name, true)).size is not null as is_there
  from pg_catalog.unnest(%(names)s::pg_catalog.text[]) as name
