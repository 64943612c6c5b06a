-- Every function for users is called with the rights of its caller, and so is this one. It checks by
-- itself whether the caller may call the function whose name it is given.
CREATE FUNCTION @extschema@._pgpool_adm_call(
    function pg_catalog.text, arguments pg_catalog.text[]
)
RETURNS @extschema@._pgpool_adm_outcome
LANGUAGE pgpool_adm_python
SET search_path = pg_catalog, pg_temp
AS $python$
{{ python call_function(plpy, SD, GD, function, arguments) }}
$python$;

-- The user mapping that applies to a caller, with its password, is passed on in the memory of the
-- session and is never an SQL value. The functions for users call these two, then the one above. They
-- refer to them by OID. A body that is a string would use the name of this schema, whose owner could
-- rename it and put other functions in place of ours.
CREATE FUNCTION @extschema@._pgpool_adm_want_mapping(server_name pg_catalog.text)
RETURNS pg_catalog.void
LANGUAGE pgpool_adm_python
SET search_path = pg_catalog, pg_temp
AS $python$
{{ python_value want_mapping(plpy, SD, GD, server_name) }}
$python$;

CREATE FUNCTION @extschema@._pgpool_adm_read_mapping() RETURNS pg_catalog.void
LANGUAGE pgpool_adm_python SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $python$
{{ python_value read_mapping(plpy, SD, GD) }}
$python$;

-- The statement whose call has just failed, as it may be logged; NULL when it has no password.
CREATE FUNCTION @extschema@._pgpool_adm_failed_statement() RETURNS pg_catalog.text
LANGUAGE pgpool_adm_python
SET search_path = pg_catalog, pg_temp
AS $python$
{{ python_value failed_statement(plpy, SD, GD) }}
$python$;

-- Make the log show this instead of the statement that fails now. If more is around the call than the
-- function for users and the two here, such as a DO block or parameters, the context would show the
-- statement once more, so it is not logged then.
CREATE FUNCTION @extschema@._pgpool_adm_hide_statement(statement pg_catalog.text)
RETURNS pg_catalog.void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stack text;
BEGIN
    IF statement IS NULL THEN
        RETURN;
    END IF;
    GET DIAGNOSTICS stack = PG_CONTEXT;
    IF array_length(string_to_array(stack, chr(10)), 1) > 3 THEN
        PERFORM set_config('log_error_verbosity', 'terse', true);
    END IF;
    IF current_setting('log_min_error_statement') <> ALL (ARRAY['fatal', 'panic']) THEN
        PERFORM set_config('log_min_error_statement', 'panic', true);
        RAISE LOG 'statement of the next error, its password hidden: %', statement;
    END IF;
END
$$;

-- The rows of an answer. PostgreSQL logs a statement that fails. When it contains a password, we log
-- it instead, without the password; only for that does this function have its owner's rights. Whether
-- it does is known from the session's memory, where no statement can write, and the settings that are
-- changed are reset by the error that follows.
CREATE FUNCTION @extschema@._pgpool_adm_answer(outcome @extschema@._pgpool_adm_outcome)
RETURNS pg_catalog.jsonb
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT @extschema@._pgpool_adm_hide_statement(@extschema@._pgpool_adm_failed_statement())
     WHERE (outcome).sqlstate IS NOT NULL;
    SELECT @extschema@._pgpool_adm_finish(outcome);
    SELECT (outcome).document::pg_catalog.jsonb;
END;

-- The functions for users. The first seven only read. Each has two forms: with an address and a
-- login, and with the name of a foreign server.

{{ row pcp_node_count(): number of nodes in pgpool.conf
    node_count integer }}

{{ row pcp_node_info(node_id integer): what Pgpool-II knows about a node
    host text, port integer, status text, pg_status text, weight float4, role text,
    pg_role text, replication_delay bigint, replication_state text, replication_sync_state text,
    last_status_change timestamp }}

{{ row pcp_health_check_stats(node_id integer): health check statistics of a node
    node_id integer, host text, port integer, status text, role text,
    last_status_change timestamp, total_count bigint, success_count bigint, fail_count bigint,
    skip_count bigint, retry_count bigint, average_retry_count float4, max_retry_count bigint,
    max_health_check_duration bigint, min_health_check_duration bigint,
    average_health_check_duration float4, last_health_check timestamp,
    last_successful_health_check timestamp, last_skip_health_check timestamp,
    last_failed_health_check timestamp }}

{{ rows pcp_pool_status(): configuration that Pgpool-II runs with
    item text, value text, description text }}

{{ rows pcp_proc_info(): pooled connections of all child processes
    database text, username text, start_time text, client_connection_count text, major text,
    minor text, backend_connection_time text, client_connection_time text,
    client_idle_duration text, client_disconnection_time text, pool_counter text,
    backend_pid text, connected text, pid text, backend_id text, status text,
    load_balance_node text, client_host text, client_port text, statement text }}

{{ row pcp_proc_count(): number of child processes, and their process ids
    process_count integer, pids integer[] }}

{{ rows pcp_watchdog_info(): watchdog cluster as this Pgpool-II sees it
    node_id integer, node_name text, host text, delegate_ip text, wd_port integer,
    pgpool_port integer, state text, priority integer, membership text, is_leader boolean,
    quorum text, alive_nodes integer, nodes_for_quorum integer, vip_is_up boolean }}

-- The functions that change something. Pgpool-II only queues some of it: pcp_node_info() shows when
-- it has happened.

{{ row pcp_attach_node(node_id integer): attach a node
    node_attached boolean }}

{{ row pcp_detach_node(node_id integer, gracefully boolean): detach a node, at once or when all clients have left
    node_detached boolean }}

{{ row pcp_promote_node(node_id integer, gracefully boolean, switchover boolean): promote a node: with a switchover, or only as Pgpool-II sees it
    node_promoted boolean }}

{{ row pcp_recovery_node(node_id integer): recover a node online, and wait until it has ended
    node_recovered boolean }}

{{ row pcp_reload_config(cluster boolean): reload pgpool.conf, here or in the watchdog cluster
    config_reloaded boolean }}

{{ row pcp_stop_pgpool(mode text, cluster boolean): stop Pgpool-II, here or in the watchdog cluster
    pgpool_stopped boolean }}
