-- Host and data directory of a node in its last successful recovery.
select id, host, data_directory
  from {extension}.pgpool_recovery_run
 where node_id = %(node_id)s and state = 'recovered'
 order by id desc
 limit 1
