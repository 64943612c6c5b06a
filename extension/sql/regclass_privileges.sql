-- A role that may call one of them may call the other, too; after an update, the grants are copied.
UPDATE pg_catalog.pg_proc AS p
   SET proacl = s.proacl
  FROM pg_catalog.pg_proc AS s
 WHERE p.oid OPERATOR(pg_catalog.=)
       'pg_catalog.pgpool_regclass(pg_catalog.text)'::pg_catalog.regprocedure
   AND s.oid OPERATOR(pg_catalog.=)
       'pg_catalog.pgpool_regclass(pg_catalog.cstring)'::pg_catalog.regprocedure;

INSERT INTO pg_catalog.pg_shdepend
SELECT s.dbid, s.classid,
       'pg_catalog.pgpool_regclass(pg_catalog.text)'::pg_catalog.regprocedure::pg_catalog.oid,
       s.objsubid, s.refclassid, s.refobjid, s.deptype
  FROM pg_catalog.pg_shdepend AS s
  JOIN pg_catalog.pg_database AS b ON b.oid OPERATOR(pg_catalog.=) s.dbid
 WHERE b.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
   AND s.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
   AND s.objid OPERATOR(pg_catalog.=)
       'pg_catalog.pgpool_regclass(pg_catalog.cstring)'::pg_catalog.regprocedure
   AND s.deptype OPERATOR(pg_catalog.=) 'a';
