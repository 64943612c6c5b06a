-- An estimate of how much has changed since a position: the blocks in the WAL summaries.
select pg_catalog.count(*) * pg_catalog.current_setting('block_size')::bigint as bytes
  from (select distinct reltablespace, reldatabase, relfilenode, relforknumber, relblocknumber
          from pg_catalog.pg_available_wal_summaries() as s,
               pg_catalog.pg_wal_summary_contents(s.tli, s.start_lsn, s.end_lsn)
         where not is_limit_block
           and s.end_lsn > %(redo)s::pg_catalog.pg_lsn) as changed
