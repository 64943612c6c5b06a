select pg_catalog.set_config('application_name', %(name)s::pg_catalog.text, false) as name
