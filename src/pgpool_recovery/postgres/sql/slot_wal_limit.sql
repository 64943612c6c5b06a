-- How much WAL slots may retain, in megabytes; -1 means no limit.
select setting::bigint as limit_mb from pg_catalog.pg_settings where name = 'max_slot_wal_keep_size'
