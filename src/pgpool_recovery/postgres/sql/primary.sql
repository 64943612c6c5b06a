-- What the primary reports about itself, in one row. Measuring its size reads the metadata of each
-- file, and there may be a million, so it is done only on request.
select pg_catalog.current_setting('server_version_num')::int as version,
       (select system_identifier::pg_catalog.text
          from pg_catalog.pg_control_system()) as system_identifier,
       (select catalog_version_no from pg_catalog.pg_control_system()) as catalog_version,
       pg_catalog.pg_is_in_recovery() as is_in_recovery,
       pg_catalog.current_setting('data_directory') as data_directory,
       pg_catalog.current_setting('config_file') as config_file,
       pg_catalog.current_setting('wal_level') as wal_level,
       pg_catalog.current_setting('restore_command') as restore_command,
       pg_catalog.current_setting('max_wal_senders')::int as max_wal_senders,
       (select pg_catalog.count(*)::int from pg_catalog.pg_stat_activity
         where backend_type = 'walsender') as wal_senders,
       pg_catalog.current_setting('max_replication_slots')::int as max_replication_slots,
       pg_catalog.current_setting('max_connections')::int as max_connections,
       pg_catalog.current_setting('max_worker_processes')::int as max_worker_processes,
       pg_catalog.current_setting('max_prepared_transactions')::int as max_prepared_transactions,
       pg_catalog.current_setting('max_locks_per_transaction')::int as max_locks_per_transaction,
       pg_catalog.current_setting('unix_socket_directories') as unix_socket_directories,
       -- The limit of the WAL that a slot retains is the larger of the two (KeepLogSeg).
       (select case when s.setting::bigint >= 0
                    then 1048576 * greatest(s.setting::bigint, k.setting::bigint) end
          from pg_catalog.pg_settings as s, pg_catalog.pg_settings as k
         where s.name = 'max_slot_wal_keep_size' and k.name = 'wal_keep_size') as slot_limit_bytes,
       coalesce(pg_catalog.current_setting('sync_replication_slots', true), 'off') = 'on'
           as syncs_slots,
       coalesce(pg_catalog.current_setting('synchronized_standby_slots', true), '')
           as awaited_slots,
       pg_catalog.current_setting('synchronous_standby_names') as synchronous_standby_names,
       -- Renamed in PostgreSQL 15.
       coalesce(pg_catalog.has_function_privilege(coalesce(
           pg_catalog.to_regprocedure('pg_catalog.pg_backup_start(text, boolean)'),
           pg_catalog.to_regprocedure('pg_catalog.pg_start_backup(text, boolean, boolean)'))
           ::pg_catalog.oid, 'execute'), false) as can_back_up,
       (select setting from pg_catalog.pg_config where name = 'BINDIR') as bin_directory,
       (select coalesce(pg_catalog.sum(pg_catalog.pg_tablespace_size(oid)), 0)::bigint
          from pg_catalog.pg_tablespace
         where spcname in ('pg_default', 'pg_global') and %(measures)s) as data_bytes,
       -- The copy includes the WAL written while it runs; this estimate is rather too high.
       least((select coalesce(pg_catalog.sum(size), 0) from pg_catalog.pg_ls_waldir()),
             pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_wal_size')))::bigint
           as wal_bytes,
       pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_wal_size'))::bigint
           as max_wal_bytes
