-- Only superusers may call functions that change anything, until they are granted to other roles. The
-- objects created by this script get its grants and no others, whatever ALTER DEFAULT PRIVILEGES says.
DO $$
DECLARE
    object pg_catalog.record;
    role pg_catalog.record;
BEGIN
    FOR object IN
        SELECT p.oid::pg_catalog.regprocedure AS name, r.rolsuper, {{ closed }} AS is_closed,
               p.oid OPERATOR(pg_catalog.=) ANY ({{ old_functions }}) AS is_old,
               p.oid, p.proacl, p.proowner
          FROM {{ include members.sql }}
          JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) p.proowner
    LOOP
        -- The functions run with their owner's rights: that must be a superuser after an update, too.
        IF NOT object.rolsuper THEN
            EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO CURRENT_USER', object.name);
        END IF;
        CONTINUE WHEN object.is_old AND (object.proacl IS NOT NULL OR NOT object.is_closed);
        FOR role IN
            SELECT DISTINCT a.grantee, CASE
                   WHEN a.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC'
                   ELSE a.grantee::pg_catalog.regrole::pg_catalog.text END AS name
              FROM pg_catalog.aclexplode(coalesce(
                       object.proacl, pg_catalog.acldefault('f', object.proowner))) AS a
             WHERE a.grantee OPERATOR(pg_catalog.<>) object.proowner
        LOOP
            CONTINUE WHEN role.grantee OPERATOR(pg_catalog.=) 0 AND NOT object.is_closed;
            EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM %s', object.name, role.name);
        END LOOP;
    END LOOP;

    FOR object IN
        SELECT c.oid::pg_catalog.regclass AS name, c.relacl, c.relowner,
               CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'S' THEN 'SEQUENCE' ELSE 'TABLE' END
               AS kind
          FROM pg_catalog.pg_class AS c
          JOIN pg_catalog.pg_depend AS d
            ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
           AND d.objid OPERATOR(pg_catalog.=) c.oid
           AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
           AND d.deptype OPERATOR(pg_catalog.=) 'e'
          JOIN pg_catalog.pg_extension AS e
            ON e.oid OPERATOR(pg_catalog.=) d.refobjid
           AND e.extname OPERATOR(pg_catalog.=) '{{ extension }}'
         WHERE c.relacl IS NOT NULL
    LOOP
        FOR role IN
            SELECT DISTINCT CASE
                   WHEN a.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC'
                   ELSE a.grantee::pg_catalog.regrole::pg_catalog.text END AS name
              FROM pg_catalog.aclexplode(object.relacl) AS a
             WHERE a.grantee OPERATOR(pg_catalog.<>) object.relowner
        LOOP
            EXECUTE pg_catalog.format(
                'REVOKE ALL ON %s %s FROM %s', object.kind, object.name, role.name);
        END LOOP;
    END LOOP;
END
$$;
