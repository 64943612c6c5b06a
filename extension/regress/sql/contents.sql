-- What CREATE EXTENSION creates, for whom, and where.

SELECT superuser, trusted, relocatable, schema, requires
  FROM pg_available_extension_versions
 WHERE name = 'pgpool_recovery' AND version = '2.0';

-- A role that is not a superuser cannot create it.
CREATE ROLE regress_pgpool_plain;
SET ROLE regress_pgpool_plain;
\set VERBOSITY sqlstate
CREATE EXTENSION pgpool_recovery;
\set VERBOSITY default
RESET ROLE;
DROP ROLE regress_pgpool_plain;

-- What stands in the way is reported, and not mistaken for a lack of PL/Python.
CREATE FUNCTION _pgpool_recovery_call_handler() RETURNS text LANGUAGE sql RETURN 'mine';
\set SHOW_CONTEXT never
CREATE EXTENSION pgpool_recovery;
DROP FUNCTION _pgpool_recovery_call_handler();

-- It does not need plpython3u in the database.
SELECT count(*) FROM pg_language WHERE lanname LIKE 'plpython%';
CREATE EXTENSION pgpool_recovery;

-- The functions that Pgpool-II calls, and those for users.
SELECT p.oid::regprocedure AS function, pg_get_function_arguments(p.oid) AS arguments,
       p.prorettype::regtype AS result, p.proisstrict AS strict, p.provolatile AS volatile,
       p.proparallel AS parallel, p.prosecdef AS definer
  FROM pg_proc p
 WHERE p.proname LIKE 'pgpool%'
 ORDER BY p.proname, p.pronargs;

-- Nothing but PL/Python itself is in C.
SELECT DISTINCT p.probin
  FROM pg_proc p
  JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON e.oid = d.refobjid
 WHERE e.extname = 'pgpool_recovery' AND p.probin IS NOT NULL;

-- The language is private: only a superuser can write functions in it.
SELECT lanname, lanpltrusted FROM pg_language WHERE lanname LIKE 'pgpool%';

-- It can be dropped as a whole, and installed into any schema.
DROP EXTENSION pgpool_recovery;
CREATE SCHEMA "Regress pgpool";
CREATE EXTENSION pgpool_recovery SCHEMA "Regress pgpool";
SELECT count(*) AS outside
  FROM pg_proc p
  JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON e.oid = d.refobjid
 WHERE e.extname = 'pgpool_recovery' AND p.pronamespace <> '"Regress pgpool"'::regnamespace;
SELECT "Regress pgpool".pgpool_pgctl('status', '');
COPY (SELECT '#!/bin/sh') TO PROGRAM 'cat > regress_pgpool; chmod 700 regress_pgpool';
SELECT "Regress pgpool".pgpool_recovery('regress_pgpool', 'host', '/data');
COPY (SELECT) TO PROGRAM 'cat > /dev/null; rm -f regress_pgpool';
ALTER EXTENSION pgpool_recovery SET SCHEMA public;
DROP EXTENSION pgpool_recovery;
DROP SCHEMA "Regress pgpool";

-- Together with the ordinary PL/Python.
CREATE EXTENSION plpython3u;
CREATE EXTENSION pgpool_recovery;
DROP EXTENSION pgpool_recovery;
DROP EXTENSION plpython3u;
