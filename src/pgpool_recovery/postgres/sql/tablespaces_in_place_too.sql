-- All tablespaces outside the two that are in the data directory itself; the location of one that
-- was created in place is a relative path.
select oid::bigint as oid, pg_catalog.pg_tablespace_location(oid) as location
  from pg_catalog.pg_tablespace
 where spcname not in ('pg_default', 'pg_global')
 order by oid
