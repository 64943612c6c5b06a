-- One WAL file; null when it is missing. The length is the most that the function reads at once.
select pg_catalog.pg_read_binary_file('pg_wal/' || %(name)s, 0, 1073741819, true) as contents
