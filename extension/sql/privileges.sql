
-- Nobody but superusers may call what changes anything, until it is granted to them.
DO $$
DECLARE
    function record;
BEGIN
    FOR function IN
        SELECT p.oid, p.oid::pg_catalog.regprocedure AS name, p.proacl, r.rolsuper,
               {{ closed }} AS is_closed
          FROM pg_catalog.pg_proc AS p
          JOIN pg_catalog.pg_roles AS r ON r.oid = p.proowner
          JOIN pg_catalog.pg_depend AS d
            ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
          JOIN pg_catalog.pg_extension AS e ON d.refobjid = e.oid
         WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
           AND d.deptype = 'e' AND e.extname = '{{ extension }}'
    LOOP
        -- The functions run with their owner's rights, so after an update, too, it is a superuser.
        IF NOT function.rolsuper THEN
            EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO CURRENT_USER', function.name);
        END IF;
        CONTINUE WHEN NOT function.is_closed;
        IF function.proacl IS NULL THEN
            EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', function.name);
        ELSE
            -- Grants of users are here. REVOKE would make them the extension's own in
            -- pg_init_privs, where pg_dump does not look for what users have granted.
            UPDATE pg_catalog.pg_proc AS p
               SET proacl = ARRAY(SELECT item FROM pg_catalog.unnest(p.proacl) AS item
                                   WHERE item::text NOT LIKE '=%')
             WHERE p.oid = function.oid;
        END IF;
    END LOOP;
END
$$;
