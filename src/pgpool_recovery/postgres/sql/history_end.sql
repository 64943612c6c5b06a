update {extension}.pgpool_recovery_run
   set state = %(state)s, ended_at = case when %(state)s = 'copied' then null
                                          else pg_catalog.clock_timestamp() end,
       message = %(message)s, detail = %(detail)s, hint = %(hint)s,
       target_state = %(target_state)s, exit_status = %(exit_status)s
 where id = %(id)s
-- The commit does not wait for a standby.
returning id, pg_catalog.set_config('synchronous_commit', 'local', true)
