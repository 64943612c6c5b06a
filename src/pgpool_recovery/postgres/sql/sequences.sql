-- The sequences of this database that have returned a value, except temporary and unlogged ones.
select s.seqrelid::bigint as oid, pg_catalog.pg_sequence_last_value(s.seqrelid) as value
  from pg_catalog.pg_sequence as s
  join pg_catalog.pg_class as c on c.oid = s.seqrelid
 where c.relpersistence = 'p' and pg_catalog.pg_sequence_last_value(s.seqrelid) is not null
