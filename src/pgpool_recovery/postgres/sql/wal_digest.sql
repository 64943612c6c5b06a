-- The SHA-256 of a part of a file in pg_wal; null when the file is missing.
select pg_catalog.encode(
           pg_catalog.sha256(
               pg_catalog.pg_read_binary_file(
                   'pg_wal/' || %(name)s, %(offset)s::bigint, %(size_bytes)s::bigint, true)),
           'hex') as digest
