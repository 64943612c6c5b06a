-- What the primary says of itself, in one row.
select current_setting('server_version_num')::int as version,
       (select system_identifier from pg_control_system())::text as system_identifier,
       (select catalog_version_no from pg_control_system()) as catalog_version,
       pg_is_in_recovery() as is_in_recovery,
       current_setting('data_directory') as data_directory,
       current_setting('config_file') as config_file,
       current_setting('wal_level') as wal_level,
       current_setting('max_wal_senders')::int as max_wal_senders,
       (select count(*) from pg_stat_activity where backend_type = 'walsender')::int as wal_senders,
       current_setting('max_replication_slots')::int as max_replication_slots,
       current_setting('max_connections')::int as max_connections,
       current_setting('max_worker_processes')::int as max_worker_processes,
       current_setting('max_prepared_transactions')::int as max_prepared_transactions,
       current_setting('max_locks_per_transaction')::int as max_locks_per_transaction,
       current_setting('unix_socket_directories') as unix_socket_directories,
       (select setting from pg_config where name = 'BINDIR') as bin_directory,
       (select coalesce(sum(pg_tablespace_size(oid)), 0)::bigint
          from pg_tablespace where spcname in ('pg_default', 'pg_global')) as data_bytes,
       -- The WAL that comes along is what is written while the copy runs; a guess that errs upwards.
       least((select coalesce(sum(size), 0) from pg_ls_waldir()),
             pg_size_bytes(current_setting('max_wal_size')))::bigint as wal_bytes
