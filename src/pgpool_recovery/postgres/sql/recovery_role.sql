-- The role of pgpool.conf's recovery_user.
select rolsuper as is_superuser, rolcanlogin as can_login
  from pg_catalog.pg_roles where rolname = %(role)s
