-- The role that is recovery_user in pgpool.conf.
select rolsuper as is_superuser, rolcanlogin as can_login
  from pg_catalog.pg_roles where rolname = %(role)s
