-- CREATE OR REPLACE below keeps the functions' grants and everything that depends on them, but it
-- refuses to change result columns, and those of the stock versions differ: more has become known
-- about a node, and the form with a foreign server never declared the columns that it returned. So
-- they are changed here. The views that select from these functions are parsed again by the names of
-- the columns, since their positions have changed.
DO $$
DECLARE
    node_info_columns CONSTANT pg_catalog.text[] := ARRAY[
        'host', 'port', 'status', 'pg_status', 'weight', 'role', 'pg_role', 'replication_delay',
        'replication_state', 'replication_sync_state', 'last_status_change'];
    node_info_types CONSTANT pg_catalog.regtype[] := ARRAY[
        'pg_catalog.text', 'pg_catalog.int4', 'pg_catalog.text', 'pg_catalog.text',
        'pg_catalog.float4', 'pg_catalog.text', 'pg_catalog.text', 'pg_catalog.int8',
        'pg_catalog.text', 'pg_catalog.text', 'pg_catalog.timestamp'];
    health_check_columns CONSTANT pg_catalog.text[] := ARRAY[
        'node_id', 'host', 'port', 'status', 'role', 'last_status_change', 'total_count',
        'success_count', 'fail_count', 'skip_count', 'retry_count', 'average_retry_count',
        'max_retry_count', 'max_health_check_duration', 'min_health_check_duration',
        'average_health_check_duration', 'last_health_check', 'last_successful_health_check',
        'last_skip_health_check', 'last_failed_health_check'];
    health_check_types CONSTANT pg_catalog.regtype[] := ARRAY[
        'pg_catalog.int4', 'pg_catalog.text', 'pg_catalog.int4', 'pg_catalog.text',
        'pg_catalog.text', 'pg_catalog.timestamp', 'pg_catalog.int8', 'pg_catalog.int8',
        'pg_catalog.int8', 'pg_catalog.int8', 'pg_catalog.int8', 'pg_catalog.float4',
        'pg_catalog.int8', 'pg_catalog.int8', 'pg_catalog.int8', 'pg_catalog.float4',
        'pg_catalog.timestamp', 'pg_catalog.timestamp', 'pg_catalog.timestamp',
        'pg_catalog.timestamp'];
    pool_status_columns CONSTANT pg_catalog.text[] := ARRAY['item', 'value', 'description'];
    pool_status_types CONSTANT pg_catalog.regtype[] := ARRAY[
        'pg_catalog.text', 'pg_catalog.text', 'pg_catalog.text'];
    function pg_catalog.record;
    old_columns pg_catalog.text;
    new_columns pg_catalog.text;
    dependent pg_catalog.record;
    views pg_catalog.regclass[];
    definitions pg_catalog.text[];
BEGIN
    FOR function IN
        SELECT p.oid, p.oid::pg_catalog.regprocedure AS name, p.pronargs::integer AS arguments,
               p.proargtypes::pg_catalog.oid[] AS argument_types, n.is_set,
               n.columns AS new_columns, n.types::pg_catalog.oid[] AS new_types,
               p.proargnames[p.pronargs OPERATOR(pg_catalog.+) 1:] AS old_columns
          FROM {{ include members.sql }}
          JOIN (VALUES ('pcp_node_info', false, node_info_columns, node_info_types),
                       ('pcp_health_check_stats', false, health_check_columns, health_check_types),
                       ('pcp_pool_status', true, pool_status_columns, pool_status_types)
               ) AS n (name, is_set, columns, types) ON n.name OPERATOR(pg_catalog.=) p.proname
         WHERE p.proretset OPERATOR(pg_catalog.<>) n.is_set
            OR p.proargnames IS NULL
            OR p.proargnames[p.pronargs OPERATOR(pg_catalog.+) 1:]
               OPERATOR(pg_catalog.<>) n.columns
    LOOP
        views := '{}';
        definitions := '{}';
        SELECT pg_catalog.string_agg(pg_catalog.quote_ident(c), ', ') INTO old_columns
          FROM pg_catalog.unnest(function.old_columns) AS c;
        SELECT pg_catalog.string_agg(pg_catalog.quote_ident(c), ', ') INTO new_columns
          FROM pg_catalog.unnest(function.new_columns) AS c;
        FOR dependent IN
            SELECT DISTINCT d.classid, d.objid, d.objsubid, v.oid::pg_catalog.regclass AS view,
                   (SELECT pg_catalog.format_type(t.oid, NULL)
                      FROM pg_catalog.pg_depend AS u
                      JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) u.refobjid
                      JOIN pg_catalog.pg_roles AS o ON o.oid OPERATOR(pg_catalog.=) t.typowner
                     WHERE u.classid OPERATOR(pg_catalog.=) d.classid
                       AND u.objid OPERATOR(pg_catalog.=) d.objid
                       AND u.refclassid OPERATOR(pg_catalog.=)
                           'pg_catalog.pg_type'::pg_catalog.regclass
                       AND NOT o.rolsuper
                     LIMIT 1) AS type
              FROM pg_catalog.pg_depend AS d
              LEFT JOIN pg_catalog.pg_rewrite AS r
                ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass
               AND r.oid OPERATOR(pg_catalog.=) d.objid
               AND r.rulename OPERATOR(pg_catalog.=) '_RETURN'
              LEFT JOIN pg_catalog.pg_class AS v
                ON v.oid OPERATOR(pg_catalog.=) r.ev_class
               AND v.relkind OPERATOR(pg_catalog.=) 'v'
             WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
               AND d.refobjid OPERATOR(pg_catalog.=) function.oid
               AND d.deptype OPERATOR(pg_catalog.=) 'n'
        LOOP
            IF dependent.view IS NULL THEN
                RAISE EXCEPTION 'cannot update function % because other objects depend on it',
                    function.name USING
                    ERRCODE = 'dependent_objects_still_exist',
                    DETAIL = pg_catalog.format(
                        '%s depends on result columns that change.',
                        pg_catalog.pg_describe_object(
                            dependent.classid, dependent.objid, dependent.objsubid)),
                    HINT = 'Drop it, update, and create it again. Plain views can stay.';
            END IF;
            -- Parsing a constant of a domain, or of an array of it, runs the checks of the domain.
            -- Below, that would be with the rights of a superuser.
            IF dependent.type IS NOT NULL THEN
                RAISE EXCEPTION 'cannot update function % because other objects depend on it',
                    function.name USING
                    ERRCODE = 'dependent_objects_still_exist',
                    DETAIL = pg_catalog.format(
                        'view %s depends on result columns that change, and on type %s, which does '
                        'not belong to a superuser.', dependent.view, dependent.type),
                    HINT = 'Drop it, update, and create it again as its owner.';
            END IF;
            views := pg_catalog.array_append(views, dependent.view);
            -- The column names that PostgreSQL gives a function in the query of a view.
            definitions := pg_catalog.array_append(definitions, pg_catalog.replace(
                pg_catalog.pg_get_viewdef(dependent.view),
                pg_catalog.format('(%s)', old_columns), pg_catalog.format('(%s)', new_columns)));
        END LOOP;

        UPDATE pg_catalog.pg_proc AS f
           SET proretset = function.is_set,
               proallargtypes = pg_catalog.array_cat(function.argument_types, function.new_types),
               proargmodes = pg_catalog.array_cat(
                   pg_catalog.array_fill(
                       'i'::pg_catalog."char", ARRAY[function.arguments]),
                   pg_catalog.array_fill(
                       'o'::pg_catalog."char",
                       ARRAY[pg_catalog.cardinality(function.new_columns)])),
               proargnames = pg_catalog.array_cat(
                   f.proargnames[:function.arguments], function.new_columns)
         WHERE f.oid OPERATOR(pg_catalog.=) function.oid;

        FOR i IN 1 .. pg_catalog.cardinality(views) LOOP
            EXECUTE pg_catalog.format(
                'CREATE OR REPLACE RULE "_RETURN" AS ON SELECT TO %s DO INSTEAD %s',
                views[i], definitions[i]);
        END LOOP;
    END LOOP;
END
$$;
