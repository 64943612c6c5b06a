-- One WAL file; null when it is not there.
select pg_read_binary_file('pg_wal/' || %(name)s, 0, 1073741824, true) as contents
