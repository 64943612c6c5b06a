-- What is needed to start a server again after it has been stopped.
select pg_catalog.current_setting('data_directory') as data_directory,
       pg_catalog.current_setting('config_file') as config_file,
       (select setting from pg_catalog.pg_config where name = 'BINDIR') as bin_directory
