-- Errors that need no Pgpool-II.
CREATE EXTENSION pgpool_adm;
CREATE FOREIGN DATA WRAPPER regress_pgpool_fdw;
CREATE SERVER regress_pool FOREIGN DATA WRAPPER regress_pgpool_fdw;
\set VERBOSITY default
\set SHOW_CONTEXT never

-- No request is sent when an argument is null.
SELECT pcp_node_count(NULL, 9898, 'pgpool', 'secret'), pcp_node_count(NULL);
SELECT * FROM pcp_pool_status(NULL);

-- Arguments.
SELECT pcp_node_count('localhost', 0, 'pgpool', 'secret');
SELECT pcp_node_count('localhost', 65536, 'pgpool', 'secret');
SELECT pcp_node_count('/nowhere', 45678, '', 'secret');
SELECT pcp_node_info(-1, '/nowhere', 45678, 'pgpool', 'secret');
SELECT pcp_attach_node(128, '/nowhere', 45678, 'pgpool', 'secret');
SELECT pcp_stop_pgpool('slow', false, '/nowhere', 45678, 'pgpool', 'secret');

-- A port above 32767 is used unchanged.
SELECT pcp_node_count('/nowhere', 45678, 'pgpool', 'secret');

-- A foreign server.
SELECT pcp_node_count('no_pool');
SELECT message, hint FROM _pgpool_adm_call('pcp_node_count(text)', '{regress_pool}');
DO $$
DECLARE
    hint text;
BEGIN
    PERFORM pcp_node_count('regress_pool');
EXCEPTION WHEN undefined_object THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RAISE NOTICE '%', regexp_replace(SQLERRM, '".*", server', '"...", server') USING HINT = hint;
END $$;
CREATE USER MAPPING FOR PUBLIC SERVER regress_pool;
SELECT pcp_node_count('regress_pool');
ALTER USER MAPPING FOR PUBLIC SERVER regress_pool OPTIONS (user 'pgpool', password 'secret');
ALTER SERVER regress_pool OPTIONS (host '/nowhere', port 'x');
SELECT pcp_node_count('regress_pool');
ALTER SERVER regress_pool OPTIONS (SET port '45678');
SELECT * FROM pcp_node_info(0, 'regress_pool');
SELECT * FROM pcp_pool_status('regress_pool');
ALTER SERVER regress_pool OPTIONS (DROP port);
SELECT * FROM pcp_health_check_stats(0, 'regress_pool');

-- Settings.
SET pgpool_adm.timeout = 'for ever';
SELECT pcp_node_count('regress_pool');
SET pgpool_adm.timeout = '500ms';
SELECT pcp_node_count('regress_pool');
SET pgpool_adm.recovery_timeout = '-1';
SELECT pcp_recovery_node(0, 'regress_pool');
RESET pgpool_adm.timeout;
RESET pgpool_adm.recovery_timeout;

-- An error can be caught, and statements are logged again afterwards.
SHOW log_min_error_statement;
DO $$
BEGIN
    PERFORM pcp_node_count('/nowhere', 45678, 'pgpool', 'secret');
EXCEPTION WHEN sqlclient_unable_to_establish_sqlconnection THEN
    RAISE NOTICE '%, %', SQLERRM, current_setting('log_min_error_statement');
END
$$;

DROP SERVER regress_pool CASCADE;
DROP FOREIGN DATA WRAPPER regress_pgpool_fdw;
DROP EXTENSION pgpool_adm;
