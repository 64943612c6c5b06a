-- Whether this server is still a standby; its session survives a promotion.
select pg_catalog.pg_is_in_recovery() as is_in_recovery
