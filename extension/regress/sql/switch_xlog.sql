-- pgpool_switch_xlog(): its refusals (tests/server tests the archiving).
CREATE EXTENSION pgpool_recovery;
\set SHOW_CONTEXT never

-- The SQLSTATE and the text of the stock function.
\set VERBOSITY sqlstate
SELECT pgpool_switch_xlog('/nonexistent');
\set VERBOSITY terse

-- No WAL was switched.
SELECT pg_current_wal_lsn() AS before \gset
SELECT pgpool_switch_xlog('/nonexistent/again');
SELECT pg_walfile_name(pg_current_wal_lsn()) = pg_walfile_name(:'before') AS same_file;

SET pgpool.switch_xlog_timeout = 'soon';
SELECT pgpool_switch_xlog('/tmp');
RESET pgpool.switch_xlog_timeout;
DROP EXTENSION pgpool_recovery;
