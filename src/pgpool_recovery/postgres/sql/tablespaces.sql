-- The tablespaces that a base backup has to place; those made in place lie in the data directory.
select oid::bigint as oid,
       pg_catalog.pg_tablespace_location(oid) as location,
       coalesce(case when %(measures)s then pg_catalog.pg_tablespace_size(oid) end, 0)::bigint
           as size_bytes
  from pg_catalog.pg_tablespace
 where pg_catalog.left(pg_catalog.pg_tablespace_location(oid), 1) = '/'
 order by oid
