-- Which files are in the data directory; who may not look there takes them for present.
select name,
       case when has_function_privilege('pg_stat_file(text, boolean)', 'execute')
            then (pg_stat_file(name, true)).size is not null else true end as is_there
  from unnest(%(names)s::text[]) as name
