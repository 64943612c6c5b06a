delete from pgpool_recovery_run
 where id <= (select id from pgpool_recovery_run order by id desc offset %(keep)s limit 1)
   and ended_at is not null
returning id
