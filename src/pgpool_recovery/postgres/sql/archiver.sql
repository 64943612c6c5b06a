-- The file that this server's archiver failed to archive last, unless it has archived something
-- since, and the history files that still wait. A standby has an archiver only with archive_mode =
-- always, but keeps the statistics from its time as primary.
select case when last_failed_time > coalesce(last_archived_time, '-infinity')
            then last_failed_wal end as failing,
       failed_count as failures,
       array(select pg_catalog.replace(name, '.ready', '')
               from pg_catalog.pg_ls_archive_statusdir()
              where name like '%%.history.ready'
                and modification < pg_catalog.clock_timestamp() - interval '1 minute'
              order by 1) as waiting_histories
  from pg_catalog.pg_stat_archiver
 where pg_catalog.current_setting('archive_mode') = 'always'
    or (pg_catalog.current_setting('archive_mode') = 'on' and not pg_catalog.pg_is_in_recovery())
