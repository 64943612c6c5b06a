-- What this server's archiver failed at last, unless it has archived something since, and the
-- history files that wait for it. A standby has one only with archive_mode = always; what a former
-- primary's did stays in the statistics.
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
