-- The newest recovery of a node after a given one.
select pg_catalog.max(id) as id
  from {extension}.pgpool_recovery_run
 where id > %(after)s
   and (node_id = %(node_id)s
        or node_id is null and host = %(host)s and data_directory = %(data_directory)s)
