-- Only superusers may call anything, until it is granted; default privileges do not count.
CREATE ROLE regress_pgpool_plain;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO regress_pgpool_plain;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO regress_pgpool_plain, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO regress_pgpool_plain;
CREATE EXTENSION pgpool_recovery;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM regress_pgpool_plain;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM regress_pgpool_plain, PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM regress_pgpool_plain;
COPY (SELECT '#!/bin/sh') TO PROGRAM 'cat > regress_pgpool; chmod 700 regress_pgpool';
\set VERBOSITY sqlstate

SET ROLE regress_pgpool_plain;
SELECT pgpool_recovery('regress_pgpool', 'host', '/data');
SELECT pgpool_recovery('regress_pgpool', 'host', '/data', '5432');
SELECT pgpool_recovery('regress_pgpool', 'host', '/data', '5432', 1);
SELECT pgpool_recovery('regress_pgpool', 'host', '/data', '5432', 1, '5433');
SELECT pgpool_recovery('regress_pgpool', 'host', '/data', '5432', 1, '5433', 'primary');
SELECT pgpool_remote_start('host', '/data');
SELECT pgpool_pgctl('status', '');
SELECT pgpool_switch_xlog('/tmp');
SELECT pgpool_recovery_plan('host', '/data', '5432', 1, '5433', 'primary');
SELECT * FROM pgpool_recovery_check('[]');
RESET ROLE;

-- No function of the extension is open to PUBLIC.
SELECT p.oid::regprocedure
  FROM pg_proc p
  JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON e.oid = d.refobjid
 WHERE e.extname = 'pgpool_recovery' AND has_function_privilege('regress_pgpool_plain', p.oid, 'EXECUTE');

-- Nor a table, a view or a sequence; members of pg_monitor may read all but the sequence.
SELECT c.relname, c.relkind, a.grantee::regrole, a.privilege_type
  FROM pg_class c
  JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
  JOIN pg_extension e ON e.oid = d.refobjid
  LEFT JOIN LATERAL aclexplode(c.relacl) a ON a.grantee <> c.relowner
 WHERE e.extname = 'pgpool_recovery' ORDER BY 1, 3, 4;

-- A grant is sufficient.
GRANT EXECUTE ON FUNCTION pgpool_recovery(text, text, text), pgpool_pgctl(text, text),
    pgpool_switch_xlog(text) TO regress_pgpool_plain;
SET ROLE regress_pgpool_plain;
\set VERBOSITY default
SELECT pgpool_recovery('regress_pgpool', 'host', '/data');
SELECT pgpool_pgctl('status', '');

-- pgpool_switch_xlog() is no way around the privilege on pg_switch_wal().
\set SHOW_CONTEXT never
SELECT pgpool_switch_xlog('/tmp');
-- Nor is the setting pgpool.pg_ctl a way to run any program as the server's user.
SET pgpool.pg_ctl = '/bin/true';
SELECT pgpool_pgctl('logrotate', '');
RESET pgpool.pg_ctl;
RESET ROLE;

DROP OWNED BY regress_pgpool_plain;
DROP ROLE regress_pgpool_plain;
COPY (SELECT) TO PROGRAM 'cat > /dev/null; rm -f regress_pgpool';
DROP EXTENSION pgpool_recovery;
