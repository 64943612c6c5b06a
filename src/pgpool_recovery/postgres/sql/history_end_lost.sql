-- What is left open of the same target has no runner any more, or was never started; that of a node
-- also where it was elsewhere then: nobody goes on with it there.
update {extension}.pgpool_recovery_run as r
   set state = 'failed', ended_at = pg_catalog.clock_timestamp(),
       message = case when state = 'copied' then 'the remote start never came'
                      else 'the runner ended without a word' end,
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
