-- One WAL file; null when it is not there. More than this the function refuses to read at once.
select pg_catalog.pg_read_binary_file('pg_wal/' || %(name)s, 0, 1073741819, true) as contents
