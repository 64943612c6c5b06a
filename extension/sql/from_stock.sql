-- The stock extension consists of functions in C, which only a superuser can have created. Below, its
-- functions become those of a superuser. The owner of the extension, who once was a superuser, can add
-- other functions to it, which must not become those of a superuser.
DO $$
DECLARE
    stranger pg_catalog.text;
    opened pg_catalog.text[];
BEGIN
    SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) INTO stranger
      FROM pg_catalog.pg_depend AS d
      JOIN pg_catalog.pg_extension AS e
        ON e.oid OPERATOR(pg_catalog.=) d.refobjid
       AND e.extname OPERATOR(pg_catalog.=) '{{ extension }}'
      LEFT JOIN pg_catalog.pg_proc AS p
        ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
       AND p.oid OPERATOR(pg_catalog.=) d.objid
      LEFT JOIN pg_catalog.pg_language AS l ON l.oid OPERATOR(pg_catalog.=) p.prolang
     WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
       AND d.deptype OPERATOR(pg_catalog.=) 'e'
       AND (l.lanname IS NULL OR l.lanname OPERATOR(pg_catalog.<>) 'c')
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'extension "{{ extension }}" has a member that the stock extension does not have'
            USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = pg_catalog.format('It is %s.', stranger),
            HINT = 'Remove it with ALTER EXTENSION {{ extension }} DROP, and update again.';
    END IF;
    -- The grants on these functions were made by users; what is created below has none yet.
    PERFORM pg_catalog.set_config(
        'pgpool.functions_before_update',
        (SELECT pg_catalog.string_agg(p.oid::pg_catalog.text, ',')
           FROM {{ include members.sql }}),
        true);
    -- Some of them work for all roles; their successors do not.
    opened := ARRAY(
        SELECT p.oid::pg_catalog.regprocedure::pg_catalog.text
          FROM {{ include members.sql }}
         WHERE {{ closed }} AND NOT {{ checked_superuser }}
           AND EXISTS (
               SELECT FROM pg_catalog.aclexplode(
                          coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) AS a
                WHERE a.grantee OPERATOR(pg_catalog.=) 0)
         ORDER BY 1);
    IF pg_catalog.cardinality(opened) OPERATOR(pg_catalog.>) 0 THEN
        RAISE WARNING 'EXECUTE on function % is revoked from PUBLIC',
            pg_catalog.array_to_string(opened, ', ') USING
            DETAIL = 'Grants to named roles are kept.',
            HINT = pg_catalog.format(
                'If a role is meant to call it: GRANT EXECUTE ON FUNCTION %s TO that role.',
                opened[1]);
    END IF;
END
$$;

COMMENT ON EXTENSION {{ extension }} IS {{ comment }};
