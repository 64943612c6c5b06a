-- What CREATE EXTENSION pgpool_adm creates, for whom, and where.

SELECT superuser, trusted, relocatable, schema, requires
  FROM pg_available_extension_versions
 WHERE name = 'pgpool_adm' AND version = '2.0';

-- It does not need plpython3u or pgpool_recovery in the database, and works beside them.
CREATE EXTENSION pgpool_adm;
DROP EXTENSION pgpool_adm;
CREATE EXTENSION pgpool_recovery;
CREATE EXTENSION pgpool_adm;
DROP EXTENSION pgpool_recovery;

-- The functions for users, and their result columns.
SELECT p.oid::regprocedure AS function, p.proretset AS set, p.proisstrict AS strict,
       p.provolatile AS volatile, p.prosecdef AS definer
  FROM pg_proc p
 WHERE p.proname LIKE 'pcp_%'
 ORDER BY p.proname, p.pronargs;
SELECT p.proname, string_agg(a.name || ' ' || format_type(a.type, NULL), ', ' ORDER BY a.number)
  FROM pg_proc p, unnest(p.proargnames, p.proargmodes, p.proallargtypes) WITH ORDINALITY
       AS a(name, mode, type, number)
 WHERE p.proname LIKE 'pcp_%' AND a.mode = 'o' AND 'pcp_server' = ANY(p.proargnames)
 GROUP BY p.proname ORDER BY p.proname;

-- Both forms return the same columns.
SELECT p.proname
  FROM (SELECT p.proname, string_agg(a.name, ',' ORDER BY a.number) AS columns
          FROM pg_proc p, unnest(p.proargnames, p.proargmodes) WITH ORDINALITY
               AS a(name, mode, number)
         WHERE p.proname LIKE 'pcp_%' AND a.mode = 'o' GROUP BY p.oid) AS p
 GROUP BY p.proname HAVING count(*) <> 2 OR count(DISTINCT p.columns) <> 1;

-- Functions that run with their owner's rights.
SELECT p.oid::regprocedure::text AS function FROM pg_proc p
 WHERE p.proname ~ '^_pgpool_adm' AND p.prosecdef ORDER BY 1;

-- Nothing but PL/Python itself is in C.
SELECT DISTINCT p.probin
  FROM pg_proc p
  JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON e.oid = d.refobjid
 WHERE e.extname = 'pgpool_adm' AND p.probin IS NOT NULL;

DROP EXTENSION pgpool_adm;
SELECT count(*) FROM pg_proc WHERE proname ~ '^(_pgpool_adm|pcp)_';

-- The schema may have any name.
CREATE SCHEMA "Regress Pool";
CREATE EXTENSION pgpool_adm SCHEMA "Regress Pool";
\set SHOW_CONTEXT never
SELECT "Regress Pool".pcp_node_count('/nowhere', 9898, 'pgpool', 'secret');
DROP SCHEMA "Regress Pool" CASCADE;
