-- Where the primary's WAL is: the timeline, its history, and how far it goes.
with current as (
    select pg_current_wal_lsn() as written,
           ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int as timeline
)
select timeline,
       written::text as written,
       pg_size_bytes(current_setting('wal_segment_size'))::bigint as wal_segment_bytes,
       current_setting('full_page_writes')::bool as full_page_writes,
       coalesce(current_setting('summarize_wal', true)::bool, false) as summarizes_wal,
       coalesce(
           pg_read_file('pg_wal/' || upper(lpad(to_hex(timeline), 8, '0')) || '.history',
                        0, 1048576, true), '') as history
  from current
