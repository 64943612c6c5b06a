
-- The functions run with their owner's rights from now on, so it has to be a superuser.
DO $$
DECLARE
    function regprocedure;
BEGIN
    FOR function IN
        SELECT p.oid
          FROM pg_catalog.pg_proc AS p
          JOIN pg_catalog.pg_depend AS d
            ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
          JOIN pg_catalog.pg_extension AS e ON d.refobjid = e.oid
          JOIN pg_catalog.pg_roles AS r ON r.oid = p.proowner
         WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
           AND d.deptype = 'e' AND e.extname = 'pgpool_recovery' AND NOT r.rolsuper
    LOOP
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO CURRENT_USER', function);
    END LOOP;
END
$$;
