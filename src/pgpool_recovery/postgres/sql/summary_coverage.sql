-- The WAL summaries that may be needed from a position on, each with the summarizer's state.
-- Without any summary there is one row with that state only.
select s.tli, s.start_lsn::pg_catalog.text as start_lsn, s.end_lsn::pg_catalog.text as end_lsn,
       pg_catalog.current_setting('summarize_wal')::boolean as is_enabled,
       pg_catalog.current_setting('wal_summary_keep_time') as keep_time,
       w.summarizer_pid is not null as is_running,
       w.summarized_tli, w.summarized_lsn::pg_catalog.text as summarized_lsn
  from pg_catalog.pg_get_wal_summarizer_state() as w
       left join pg_catalog.pg_available_wal_summaries() as s
         on s.end_lsn > %(redo)s::pg_catalog.pg_lsn
