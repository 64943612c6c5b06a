-- This is a separate query, since a CASE needs the privilege even if its branch is not taken.
select pg_catalog.has_function_privilege(
           'pg_catalog.pg_stat_file(text, boolean)', 'execute') as may_look
