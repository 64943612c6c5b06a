-- For each relation fork, the segment with its lowest non-zero limit block (a truncation) in the
-- WAL summaries that overlap the WAL between two positions, or all WAL after one.
select reltablespace::bigint as tablespace, reldatabase::bigint as database,
       relfilenode::bigint as relfilenode, relforknumber::int as fork,
       (pg_catalog.min(relblocknumber)
           / (select setting::bigint from pg_catalog.pg_settings
               where name = 'segment_size'))::int as segment
  from pg_catalog.pg_available_wal_summaries() as s,
       pg_catalog.pg_wal_summary_contents(s.tli, s.start_lsn, s.end_lsn)
 where is_limit_block
   and relblocknumber > 0
   and s.end_lsn > %(redo)s::pg_catalog.pg_lsn
   and (%(before)s::pg_catalog.pg_lsn is null or s.start_lsn < %(before)s::pg_catalog.pg_lsn)
 group by 1, 2, 3, 4
 order by 1, 2, 3, 4
