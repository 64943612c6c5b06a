-- How many more WAL senders may be started. Every role sees how many rows there are.
select pg_catalog.current_setting('max_wal_senders')::pg_catalog.int4
           operator(pg_catalog.-)
       (select pg_catalog.count(*)::pg_catalog.int4
          from pg_catalog.pg_stat_replication) as free
