delete from pgpool_recovery_run
 where id <= (select id from pgpool_recovery_run order by id desc offset %(keep)s limit 1)
returning id
