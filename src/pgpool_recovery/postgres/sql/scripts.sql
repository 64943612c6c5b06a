-- Which files are in the data directory; who may not look there takes them for present.
select name,
       case when pg_catalog.has_function_privilege(
                     'pg_catalog.pg_stat_file(text, boolean)', 'execute')
            then (pg_catalog.pg_stat_file(name, true)).size is not null else true end as is_there
  from pg_catalog.unnest(%(names)s::pg_catalog.text[]) as name
