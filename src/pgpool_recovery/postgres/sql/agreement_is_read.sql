-- Whether a superuser's session confirms, by an advisory lock, that it has read the agreement that
-- this session holds. Every role can see the locks of all databases, and whose session holds them.
select exists (
    select 1
      from pg_catalog.pg_locks as l
      join pg_catalog.pg_stat_activity as a
        on a.pid = l.pid
      join pg_catalog.pg_roles as r
        on r.oid = a.usesysid
     where l.locktype = 'advisory'
       and l.objsubid = 2
       and l.classid = %(class)s::pg_catalog.oid
       and l.objid = pg_catalog.pg_backend_pid()::pg_catalog.oid
       and r.rolsuper) as is_read
