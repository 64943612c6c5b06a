-- The progress of one node's base backup; the total is an estimate by the server.
select p.phase, p.backup_streamed as done_bytes, p.backup_total as total_bytes
  from pg_catalog.pg_stat_progress_basebackup as p join pg_catalog.pg_stat_activity as a using (pid)
 where a.application_name = %(name)s
