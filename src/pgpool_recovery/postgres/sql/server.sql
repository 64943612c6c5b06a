-- What a node's server reports about itself for a check.
select pg_catalog.current_setting('server_version_num')::int as version,
       pg_catalog.pg_is_in_recovery() as is_in_recovery,
       (select pg_catalog.json_object_agg(name, setting) from pg_catalog.pg_settings
         where name = any (%(names)s)) as settings,
       (select setting from pg_catalog.pg_config where name = 'PKGLIBDIR') as library_directory,
       (select setting from pg_catalog.pg_config where name = 'SHAREDIR') as share_directory
