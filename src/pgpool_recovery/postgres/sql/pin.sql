-- Set what cannot be set in the startup options, if the server has it. pg_settings would show that,
-- too, but takes as long as all the rest of a login.
select pg_catalog.set_config(name, value, false) as setting
  from rows from (pg_catalog.unnest(%(names)s::pg_catalog.text[]),
                  pg_catalog.unnest(%(values)s::pg_catalog.text[])) as wanted (name, value)
 where pg_catalog.current_setting(name, true) <> value
