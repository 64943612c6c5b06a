-- The grants of users on the functions that were here before. EXECUTE is revoked from PUBLIC, and from
-- roles where the stock function itself checked whether its caller is a superuser: a grant on such a
-- function had no effect, and must not take effect through an update.
DO $$
DECLARE
    keep_grants pg_catalog.bool := false;
    function pg_catalog.record;
    role pg_catalog.record;
    dead pg_catalog.oid[];
    detail pg_catalog.text;
    hint pg_catalog.text;
    told pg_catalog.text[] := ARRAY[]::pg_catalog.text[];
BEGIN
    IF pg_catalog.length(pg_catalog.current_setting('pgpool.keep_grants', true))
       OPERATOR(pg_catalog.>) 0 THEN
        keep_grants := pg_catalog.current_setting('pgpool.keep_grants')::pg_catalog.bool;
    END IF;
    -- The owner of a database may set it for all its sessions, but must not decide on grants.
    IF keep_grants AND EXISTS (
        SELECT FROM pg_catalog.pg_db_role_setting AS s
          CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS setting
         WHERE pg_catalog.starts_with(pg_catalog.lower(setting), 'pgpool.keep_grants=')
           AND s.setdatabase OPERATOR(pg_catalog.=) ANY (ARRAY(
               SELECT 0::pg_catalog.oid UNION ALL SELECT b.oid FROM pg_catalog.pg_database AS b
                WHERE b.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()))
           AND s.setrole OPERATOR(pg_catalog.=) ANY (ARRAY(
               SELECT 0::pg_catalog.oid UNION ALL SELECT r.oid FROM pg_catalog.pg_roles AS r
                WHERE r.rolname OPERATOR(pg_catalog.=) SESSION_USER))
    ) THEN
        RAISE EXCEPTION 'pgpool.keep_grants is set for this database or role' USING
            ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = 'It must be set in the session of the update.',
            HINT = 'RESET it with ALTER DATABASE or ALTER ROLE, and SET it here.';
    END IF;

    FOR function IN
        SELECT p.oid, p.oid::pg_catalog.regprocedure AS name, p.proacl, p.proowner,
               {{ checked_superuser }} AS checked_superuser
          FROM {{ include members.sql }}
         WHERE p.oid OPERATOR(pg_catalog.=) ANY ({{ old_functions }})
           AND p.proacl IS NOT NULL AND {{ closed }}
    LOOP
        dead := ARRAY[0]::pg_catalog.oid[];  -- PUBLIC.
        FOR role IN
            SELECT DISTINCT a.grantee AS oid, r.rolname AS name, r.rolsuper
              FROM pg_catalog.aclexplode(function.proacl) AS a
              JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) a.grantee
             WHERE function.checked_superuser AND NOT keep_grants
               AND r.oid OPERATOR(pg_catalog.<>) function.proowner
               -- A member of a superuser role is not a superuser, but inherits the grant, which
               -- the superuser does not need.
               AND (NOT r.rolsuper OR EXISTS (
                       SELECT FROM pg_catalog.pg_roles AS m
                        WHERE NOT m.rolsuper AND pg_catalog.pg_has_role(m.oid, r.oid, 'usage')))
             ORDER BY r.rolname
        LOOP
            dead := pg_catalog.array_append(dead, role.oid);
            detail := CASE WHEN role.rolsuper THEN pg_catalog.format(
                'Role "%s" is a superuser and needs no grant, but its members would inherit it, '
                'and the stock function refuses them.', role.name)
                ELSE 'The stock function refuses roles that are not superusers, so this grant has '
                'had no effect. The function that replaces it runs for every role with the grant.' END;
            hint := pg_catalog.format(
                'If %s meant to have it: GRANT EXECUTE ON FUNCTION %s TO %I.',
                CASE WHEN role.rolsuper THEN 'they are'
                ELSE pg_catalog.format('"%s" is', role.name) END, function.name, role.name);
            IF detail OPERATOR(pg_catalog.=) ANY (told) THEN
                RAISE WARNING 'EXECUTE on function % is revoked from role "%"',
                    function.name, role.name USING HINT = hint;
            ELSE
                RAISE WARNING 'EXECUTE on function % is revoked from role "%"',
                    function.name, role.name USING
                    DETAIL = detail,
                    HINT = pg_catalog.concat(
                        hint, ' SET pgpool.keep_grants = on before the update keeps such grants.');
                told := pg_catalog.array_append(told, detail);
            END IF;
        END LOOP;

        -- REVOKE would record all remaining grants as the extension's own in pg_init_privs, and
        -- pg_dump would no longer take them for those of users. So what REVOKE does is done here.
        UPDATE pg_catalog.pg_proc AS f
           SET proacl = ARRAY(
                   SELECT pg_catalog.makeaclitem(k.grantee, k.grantor, 'EXECUTE', k.is_grantable)
                     FROM (SELECT a.grantee, pg_catalog.bool_or(a.is_grantable) AS is_grantable,
                                  CASE WHEN a.grantor OPERATOR(pg_catalog.=) ANY (dead)
                                       THEN function.proowner ELSE a.grantor END AS grantor
                             FROM pg_catalog.aclexplode(function.proacl) AS a
                            WHERE a.grantee OPERATOR(pg_catalog.<>) ALL (dead)
                            GROUP BY a.grantee, 3) AS k)
         WHERE f.oid OPERATOR(pg_catalog.=) function.oid;
        DELETE FROM pg_catalog.pg_shdepend AS s
         USING pg_catalog.pg_database AS b
         WHERE b.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
           AND s.dbid OPERATOR(pg_catalog.=) b.oid
           AND s.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
           AND s.objid OPERATOR(pg_catalog.=) function.oid
           AND s.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_authid'::pg_catalog.regclass
           AND s.refobjid OPERATOR(pg_catalog.=) ANY (dead)
           AND s.deptype OPERATOR(pg_catalog.=) 'a';
    END LOOP;
END
$$;
