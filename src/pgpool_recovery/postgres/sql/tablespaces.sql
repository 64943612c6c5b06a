-- The tablespaces outside the data directory, which a base backup must place; not in-place ones.
select oid::bigint as oid,
       pg_catalog.pg_tablespace_location(oid) as location,
       coalesce(case when %(measures)s then pg_catalog.pg_tablespace_size(oid) end, 0)::bigint
           as size_bytes
  from pg_catalog.pg_tablespace
 where pg_catalog.left(pg_catalog.pg_tablespace_location(oid), 1) = '/'
 order by oid
