-- The OID of a relation, or 0 instead of an error.
CREATE EXTENSION pgpool_regclass;
CREATE TABLE "Regress t" (i integer);
\set SHOW_CONTEXT never

SELECT pgpool_regclass('pg_class') = 'pg_class'::regclass AS same,
       pgpool_regclass('"Regress t"') = '"Regress t"'::regclass AS quoted,
       pgpool_regclass('public."Regress t"') = '"Regress t"'::regclass AS qualified,
       pg_catalog.pgpool_regclass(current_database() || '.pg_catalog.pg_class')
           = 'pg_class'::regclass AS this_database;
SELECT pgpool_regclass(name), name
  FROM unnest(ARRAY['regress_none', 'regress_none.pg_class', 'regress_none.pg_catalog.pg_class',
                    'a.b.c.d', '', ' ', '"open', 'a..b', '1259', '-', 'pg_class; select']) AS name;
SELECT pgpool_regclass(NULL) IS NULL AS strict;

-- As called by a Pgpool-II that does not know to_regclass().
SELECT has_function_privilege(current_user, 'pgpool_regclass(cstring)', 'execute');
SELECT pgpool_regclass('pg_class'::cstring) = 'pg_class'::regclass AS same;

-- Names are looked up in the caller's search path.
SET search_path = pg_catalog;
SELECT pgpool_regclass('"Regress t"');
RESET search_path;

SELECT n.nspname, p.oid::regprocedure::text AS function, p.prorettype::regtype AS result,
       p.proisstrict AS strict, p.provolatile AS volatile
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE p.proname = 'pgpool_regclass' ORDER BY 2;

DROP TABLE "Regress t";
DROP EXTENSION pgpool_regclass;
