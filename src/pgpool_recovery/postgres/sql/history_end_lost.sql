-- End the open runs of the same target, whose runner is gone or whose server was never started.
-- Also end those of the same node at another place, since no later stage will continue them there.
update {extension}.pgpool_recovery_run as r
   set state = 'failed', ended_at = pg_catalog.clock_timestamp(),
       message = case when state = 'copied' then 'the remote start never came'
                      else 'the runner ended without reporting a result' end,
       detail = case when state <> 'copied' and sentence is not null
                     then 'It was interrupted'
                          || coalesce(' in step ' || step || ' of ' || steps, '')
                          || ': ' || sentence || '.' end,
       target_state = case when state = 'copied'
                           then coalesce(target_state, 'copied, but not started')
                           else 'in a state that could not be learnt' end,
       exit_status = 1
 where ended_at is null
   and (host = %(host)s and data_directory = %(data_directory)s or node_id = %(node_id)s)
   and (state = 'copied' or not {extension}._pgpool_recovery_is_alive(id))
returning id
