-- A part of a WAL file; null when the file is missing.
select pg_catalog.pg_read_binary_file(
           'pg_wal/' || %(name)s, %(offset)s::pg_catalog.int8, %(length)s::pg_catalog.int8, true)
           as contents
