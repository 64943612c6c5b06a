-- What the stock extension consists of: functions in C, which only a superuser can have made. Below,
-- its functions become those of a superuser. Whoever owns the extension, having been a superuser, can
-- add functions of his own to it: they shall not.
DO $$
DECLARE
    stranger pg_catalog.text;
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
        RAISE EXCEPTION 'extension "{{ extension }}" has a member that the stock extension has not'
            USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = pg_catalog.format('It is %s.', stranger),
            HINT = 'Take it out with ALTER EXTENSION {{ extension }} DROP, and update again.';
    END IF;
    -- The grants on these functions are those of users; what is created below has none yet.
    PERFORM pg_catalog.set_config(
        'pgpool.functions_before_update',
        (SELECT pg_catalog.string_agg(p.oid::pg_catalog.text, ',')
           FROM {{ include members.sql }}),
        true);
END
$$;
