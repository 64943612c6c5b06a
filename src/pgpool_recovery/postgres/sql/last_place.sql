-- Where a node was in its last recovery that ended well.
select id, host, data_directory
  from {extension}.pgpool_recovery_run
 where node_id = %(node_id)s and state = 'recovered'
 order by id desc
 limit 1
