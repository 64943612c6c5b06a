-- CREATE OR REPLACE below keeps the functions' grants and all that depends on them, but it refuses
-- to change result columns, and those of the stock versions differ: what is known of a node has
-- grown, and the form with a foreign server never had the columns that it returned. So they are
-- changed here, and the views that select from these functions read anew, by the names of the
-- columns, whose places have changed.
DO $$
DECLARE
    node_info_columns CONSTANT text[] := ARRAY[
        'host', 'port', 'status', 'pg_status', 'weight', 'role', 'pg_role', 'replication_delay',
        'replication_state', 'replication_sync_state', 'last_status_change'];
    node_info_types CONSTANT regtype[] := ARRAY[
        'text', 'integer', 'text', 'text', 'real', 'text', 'text', 'bigint',
        'text', 'text', 'timestamp'];
    health_check_columns CONSTANT text[] := ARRAY[
        'node_id', 'host', 'port', 'status', 'role', 'last_status_change', 'total_count',
        'success_count', 'fail_count', 'skip_count', 'retry_count', 'average_retry_count',
        'max_retry_count', 'max_health_check_duration', 'min_health_check_duration',
        'average_health_check_duration', 'last_health_check', 'last_successful_health_check',
        'last_skip_health_check', 'last_failed_health_check'];
    health_check_types CONSTANT regtype[] := ARRAY[
        'integer', 'text', 'integer', 'text', 'text', 'timestamp', 'bigint',
        'bigint', 'bigint', 'bigint', 'bigint', 'real', 'bigint', 'bigint', 'bigint',
        'real', 'timestamp', 'timestamp', 'timestamp', 'timestamp'];
    pool_status_columns CONSTANT text[] := ARRAY['item', 'value', 'description'];
    pool_status_types CONSTANT regtype[] := ARRAY['text', 'text', 'text'];
    function record;
    old_columns text;
    new_columns text;
    dependent record;
    views regclass[];
    definitions text[];
BEGIN
    FOR function IN
        SELECT p.oid, p.oid::pg_catalog.regprocedure AS name, p.pronargs::int AS arguments,
               p.proargtypes::oid[] AS argument_types, n.is_set, n.columns AS new_columns,
               n.types::oid[] AS new_types, p.proargnames[p.pronargs + 1:] AS old_columns
          FROM pg_catalog.pg_proc AS p
          JOIN pg_catalog.pg_depend AS d
            ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
          JOIN pg_catalog.pg_extension AS e ON d.refobjid = e.oid
          JOIN (VALUES ('pcp_node_info', false, node_info_columns, node_info_types),
                       ('pcp_health_check_stats', false, health_check_columns, health_check_types),
                       ('pcp_pool_status', true, pool_status_columns, pool_status_types)
               ) AS n (name, is_set, columns, types) ON n.name = p.proname
         WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
           AND d.deptype = 'e' AND e.extname = 'pgpool_adm'
           AND (p.proretset, p.proargnames[p.pronargs + 1:]) IS DISTINCT FROM (n.is_set, n.columns)
    LOOP
        views := '{}';
        definitions := '{}';
        SELECT pg_catalog.string_agg(pg_catalog.quote_ident(c), ', ') INTO old_columns
          FROM pg_catalog.unnest(function.old_columns) AS c;
        SELECT pg_catalog.string_agg(pg_catalog.quote_ident(c), ', ') INTO new_columns
          FROM pg_catalog.unnest(function.new_columns) AS c;
        FOR dependent IN
            SELECT DISTINCT d.classid, d.objid, d.objsubid, v.oid::pg_catalog.regclass AS view
              FROM pg_catalog.pg_depend AS d
              LEFT JOIN pg_catalog.pg_rewrite AS r
                ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid
               AND r.rulename = '_RETURN'
              LEFT JOIN pg_catalog.pg_class AS v ON v.oid = r.ev_class AND v.relkind = 'v'
             WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
               AND d.refobjid = function.oid AND d.deptype = 'n'
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
            views := views || dependent.view;
            -- The names that PostgreSQL gives the columns of a function in a query of a view.
            definitions := definitions || pg_catalog.replace(
                pg_catalog.pg_get_viewdef(dependent.view),
                '(' || old_columns || ')', '(' || new_columns || ')');
        END LOOP;

        UPDATE pg_catalog.pg_proc AS p
           SET proretset = function.is_set,
               proallargtypes = function.argument_types || function.new_types,
               proargmodes = pg_catalog.array_fill('i'::"char", ARRAY[function.arguments])
                   || pg_catalog.array_fill(
                       'o'::"char", ARRAY[pg_catalog.cardinality(function.new_columns)]),
               proargnames = p.proargnames[:function.arguments] || function.new_columns
         WHERE p.oid = function.oid;

        FOR i IN 1 .. pg_catalog.cardinality(views) LOOP
            EXECUTE pg_catalog.format(
                'CREATE OR REPLACE RULE "_RETURN" AS ON SELECT TO %s DO INSTEAD %s',
                views[i], definitions[i]);
        END LOOP;
    END LOOP;
END
$$;
