-- Set what cannot be said when the connection starts, where the server has it and the role may.
select pg_catalog.set_config(s.name, wanted.value, false) as setting
  from pg_catalog.pg_settings as s
  join rows from (pg_catalog.unnest(%(names)s::pg_catalog.text[]),
                  pg_catalog.unnest(%(values)s::pg_catalog.text[])) as wanted (name, value)
    on wanted.name = s.name
 where s.setting <> wanted.value
   and (s.context = 'user'
        or s.context = 'superuser' and pg_catalog.current_setting('is_superuser') = 'on')
