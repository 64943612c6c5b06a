-- The control file itself: no function returns the primary's settings that a standby must match.
select pg_catalog.pg_read_binary_file('global/pg_control', 0, 512) as contents
