select datname as name from pg_database where datallowconn order by datname
