-- The control file itself: no function says which settings of its primary a standby has to reach.
select pg_catalog.pg_read_binary_file('global/pg_control', 0, 512) as contents
