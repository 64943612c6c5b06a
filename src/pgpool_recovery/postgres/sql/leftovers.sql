-- Settings that a server has, and where they stand; the file only for who may see all settings.
select name, setting as value, source = 'command line' as is_on_command_line,
       coalesce(sourcefile || ':' || sourceline::pg_catalog.text, source) as source
  from pg_catalog.pg_settings where name = any (%(names)s)
