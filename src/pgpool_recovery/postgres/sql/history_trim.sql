delete from {extension}.pgpool_recovery_run
 where id <= (select id from {extension}.pgpool_recovery_run
               order by id desc offset %(keep)s limit 1)
   and ended_at is not null
returning id
