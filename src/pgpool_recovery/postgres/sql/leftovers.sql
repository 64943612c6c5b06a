-- Settings in force on a server, and where they are set. Only a role that may see all settings sees
-- the file.
select name, setting as value, source = 'command line' as is_on_command_line,
       coalesce(sourcefile || ':' || sourceline::pg_catalog.text, source) as source
  from pg_catalog.pg_settings where name = any (%(names)s)
