-- Any role with a login at a Pgpool-II may read; functions that change something are for superusers.
CREATE ROLE regress_pgpool_plain;
CREATE ROLE regress_pgpool_owner;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO regress_pgpool_plain;
CREATE EXTENSION pgpool_adm;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM regress_pgpool_plain;
CREATE FOREIGN DATA WRAPPER regress_pgpool_fdw;
CREATE SERVER regress_pool FOREIGN DATA WRAPPER regress_pgpool_fdw
    OPTIONS (host '/nowhere', port '45678');
\set SHOW_CONTEXT never

SET ROLE regress_pgpool_plain;
SELECT pcp_node_count('/nowhere', 9898, 'pgpool', 'secret');
\set VERBOSITY sqlstate
SELECT pcp_node_count('regress_pool');
SELECT pcp_node_info(0, 'regress_pool');
SELECT pcp_health_check_stats(0, 'regress_pool');
SELECT pcp_pool_status('regress_pool');
SELECT pcp_proc_info('regress_pool');
SELECT pcp_proc_count('regress_pool');
SELECT pcp_watchdog_info('regress_pool');

SELECT pcp_attach_node(0, 'regress_pool');
SELECT pcp_attach_node(0, '', 9898, 'pgpool', 'secret');
SELECT pcp_detach_node(0, false, 'regress_pool');
SELECT pcp_detach_node(0, false, '', 9898, 'pgpool', 'secret');
SELECT pcp_promote_node(0, false, false, 'regress_pool');
SELECT pcp_promote_node(0, false, false, '', 9898, 'pgpool', 'secret');
SELECT pcp_recovery_node(0, 'regress_pool');
SELECT pcp_recovery_node(0, '', 9898, 'pgpool', 'secret');
SELECT pcp_reload_config(false, 'regress_pool');
SELECT pcp_reload_config(false, '', 9898, 'pgpool', 'secret');
SELECT pcp_stop_pgpool('fast', false, 'regress_pool');
SELECT pcp_stop_pgpool('fast', false, '', 9898, 'pgpool', 'secret');

-- What is open is open to all roles, and nothing is open to a single one.
SELECT p.oid::regprocedure
  FROM pg_proc p
  JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON e.oid = d.refobjid
 CROSS JOIN LATERAL aclexplode(p.proacl) a
 WHERE e.extname = 'pgpool_adm' AND a.grantee NOT IN (0, p.proowner);

-- There is no way around that.
\set VERBOSITY default
SELECT sqlstate, message
  FROM _pgpool_adm_call('pcp_detach_node(integer,boolean,text,integer,text,text)',
                        '{0, false, "", 9898, pgpool, secret}');
SELECT _pgpool_adm_read_mapping();
RESET ROLE;
GRANT CREATE ON SCHEMA public TO regress_pgpool_plain;
SET ROLE regress_pgpool_plain;
CREATE FUNCTION pcp_detach_node(text, text, text, integer, text, text) RETURNS text
    LANGUAGE sql AS 'SELECT 1';
SELECT sqlstate, message
  FROM _pgpool_adm_call('pcp_detach_node(text,text,text,integer,text,text)',
                        '{0, false, "", 9898, pgpool, secret}');
RESET ROLE;

-- A grant is sufficient, for the form that was granted.
GRANT EXECUTE ON FUNCTION pcp_detach_node(integer, boolean, text, integer, text, text)
    TO regress_pgpool_plain;
SET ROLE regress_pgpool_plain;
SELECT pcp_detach_node(0, false, '/nowhere', 9898, 'pgpool', 'secret');
SELECT pcp_detach_node(0, false, 'regress_pool');

-- The other form cannot be reached by another spelling, nor with other arguments than its own.
SELECT c.sqlstate, c.message
  FROM unnest(ARRAY[
           'pcp_detach_node(integer,boolean,text,integer,text, text)',
           ' pcp_detach_node(integer,boolean,text,integer,text,text)',
           'pcp_detach_node(int4,bool,text,int4,text,text)',
           'public.pcp_detach_node(integer,boolean,text,integer,text,text)',
           '"pcp_detach_node"(integer,boolean,text,integer,text,text)',
           'pcp_detach_node(integer,boolean,text)', 'pcp_detach_node', NULL]) AS f(name),
       LATERAL _pgpool_adm_call(f.name, '{0, false, "", 9898, pgpool, secret}') AS c;
SELECT c.sqlstate, c.message, c.detail
  FROM (VALUES ('{0, false, regress_pool}'::text[]), (NULL), ('{}'),
               ('{0, false, /nowhere, 9898, pgpool, NULL}'),
               ('{x, false, /nowhere, 9898, pgpool, secret}'),
               ('{0, maybe, /nowhere, 9898, pgpool, secret}'),
               ('{0, false, /nowhere, 9898, pgpool, secret, more}')) AS f(words),
       LATERAL _pgpool_adm_call('pcp_detach_node(integer,boolean,text,integer,text,text)',
                                f.words) AS c;

-- The pass file of this host is for superusers, and for their foreign servers.
SELECT pcp_node_count('/nowhere', 9898, 'pgpool', '');
RESET ROLE;
CREATE USER MAPPING FOR PUBLIC SERVER regress_pool OPTIONS (user 'pgpool', password 'secret');
SET ROLE regress_pgpool_plain;
SELECT pcp_node_count('regress_pool');
RESET ROLE;
ALTER USER MAPPING FOR PUBLIC SERVER regress_pool OPTIONS (DROP password);
GRANT USAGE ON FOREIGN DATA WRAPPER regress_pgpool_fdw TO regress_pgpool_owner;
ALTER SERVER regress_pool OWNER TO regress_pgpool_owner;
SET ROLE regress_pgpool_plain;
SELECT pcp_node_count('regress_pool');
RESET ROLE;

-- A user's own mapping takes precedence over the one for PUBLIC.
ALTER SERVER regress_pool OWNER TO CURRENT_USER;
ALTER USER MAPPING FOR PUBLIC SERVER regress_pool OPTIONS (DROP user);
SET ROLE regress_pgpool_plain;
SELECT pcp_node_count('regress_pool');
RESET ROLE;
CREATE USER MAPPING FOR regress_pgpool_plain SERVER regress_pool
    OPTIONS (user 'pgpool', password 'secret');
SET ROLE regress_pgpool_plain;
SELECT pcp_node_count('regress_pool');
-- The owner has granted no privilege on the server, so the password is hidden from the user.
SELECT umoptions FROM pg_user_mappings WHERE srvname = 'regress_pool' AND umuser <> 0;
RESET ROLE;

-- In a function that runs with the rights of another role, the mapping is that of this role.
DROP USER MAPPING FOR PUBLIC SERVER regress_pool;
CREATE FUNCTION regress_count() RETURNS integer LANGUAGE sql SECURITY DEFINER
    AS $$ SELECT pcp_node_count('regress_pool') $$;
ALTER FUNCTION regress_count() OWNER TO regress_pgpool_plain;
SET ROLE regress_pgpool_owner;
SELECT pcp_node_count('regress_pool');
SELECT regress_count();
RESET ROLE;

DROP FUNCTION regress_count();
DROP SERVER regress_pool CASCADE;
DROP FOREIGN DATA WRAPPER regress_pgpool_fdw;
DROP OWNED BY regress_pgpool_plain, regress_pgpool_owner;
DROP ROLE regress_pgpool_plain, regress_pgpool_owner;
DROP EXTENSION pgpool_adm;
