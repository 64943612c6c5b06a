select datname as name from pg_catalog.pg_database where datallowconn order by datname
