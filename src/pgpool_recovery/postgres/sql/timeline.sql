-- The primary's timeline, its history, and the WAL position.
with current as (
    select pg_catalog.pg_current_wal_lsn() as written,
           ('x' || pg_catalog.left(
               pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8))::bit(32)::int
               as timeline
)
select timeline,
       written::pg_catalog.text as written,
       pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size'))::bigint
           as wal_segment_bytes,
       pg_catalog.current_setting('full_page_writes')::boolean as full_page_writes,
       coalesce(pg_catalog.current_setting('summarize_wal', true)::boolean, false)
           as summarizes_wal,
       coalesce(
           pg_catalog.pg_read_file(
               'pg_wal/' || pg_catalog.upper(
                   pg_catalog.lpad(pg_catalog.to_hex(timeline), 8, '0')) || '.history',
               0, 1048576, true), '') as history
  from current
