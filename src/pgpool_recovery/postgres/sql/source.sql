-- What a server from which a base backup may be read reports about that.
select pg_catalog.current_setting('server_version_num')::pg_catalog.int4 as version,
       pg_catalog.current_setting('port')::pg_catalog.int4 as port,
       pg_catalog.current_setting('max_wal_senders')::pg_catalog.int4 as max_wal_senders,
       (select pg_catalog.count(*)::pg_catalog.int4 from pg_catalog.pg_stat_activity
         where backend_type = 'walsender') as wal_senders,
       (select pg_catalog.count(*)::pg_catalog.int4
          from pg_catalog.pg_stat_progress_basebackup) as backups,
       (select coalesce(pg_catalog.json_object_agg(
                   oid::pg_catalog.text, pg_catalog.pg_tablespace_location(oid)), '{}')
          from pg_catalog.pg_tablespace
         where spcname not in ('pg_default', 'pg_global')) as tablespaces
