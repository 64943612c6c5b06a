-- The events of a recovery after the one with a given number.
select number, at, kind, line, data
  from {extension}.pgpool_recovery_event
 where run_id = %(id)s and number > %(after)s
 order by number
 limit 1000
