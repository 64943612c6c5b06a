-- A query of its own: in a CASE the privilege is looked at, too, where the branch is not taken.
select pg_catalog.has_function_privilege(
           'pg_catalog.pg_stat_file(text, boolean)', 'execute') as may_look
