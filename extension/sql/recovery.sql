-- The program of the process that runs scripts for a backend, and ends them when the backend is gone.
CREATE FUNCTION @extschema@._pgpool_recovery_supervisor() RETURNS pg_catalog.text
LANGUAGE sql IMMUTABLE
RETURN $supervisor$
{{ supervisor }}
$supervisor$::pg_catalog.text;

-- The functions below call these, and pass on the program. A body that is a string would use the name
-- of this schema, whose owner could rename it and create another one with other functions. So whatever
-- calls functions of this extension is BEGIN ATOMIC or RETURN, which refer to them by OID.

-- Is the function that has this as an argument called directly by a statement of the client? Every
-- function, trigger and DO block around a call adds lines to the context, and only superusers can
-- create some that do not. Whose rights the surrounding one has, or had, cannot be determined.
CREATE FUNCTION @extschema@._pgpool_recovery_is_direct() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stack text;
BEGIN
    GET DIAGNOSTICS stack = PG_CONTEXT;
    RETURN array_length(string_to_array(stack, chr(10)), 1) = 2;  -- This one, and the one for users.
END
$$;

-- Words as bytes in the encoding of the database, in which a script gets them. PL/Python would convert
-- them to UTF-8, and refuse other bytes in SQL_ASCII; convert_to() refuses a path in another encoding.
-- To the format "escape", only a backslash is special.
CREATE FUNCTION @extschema@._pgpool_recovery_bytes(VARIADIC words pg_catalog.text[])
RETURNS pg_catalog.bytea[]
LANGUAGE sql IMMUTABLE
RETURN (
    SELECT pg_catalog.array_agg(pg_catalog.decode(
               pg_catalog.replace(w.word, E'\\', E'\\\\'), 'escape'::pg_catalog.text) ORDER BY w.place)
      FROM pg_catalog.unnest(words) WITH ORDINALITY AS w(word, place)
);

CREATE FUNCTION @extschema@._pgpool_recovery_run_script(
    function_name pg_catalog.text, script_name pg_catalog.bytea, arguments pg_catalog.bytea[],
    supervisor_source pg_catalog.text, is_direct boolean
)
RETURNS @extschema@._pgpool_recovery_outcome
LANGUAGE pgpool_recovery_python
SET search_path = pg_catalog, pg_temp
AS $python$
{{ python run_script(plpy, SD, lambda: supervisor_source, is_direct, function_name, os.fsdecode(script_name), arguments) }}
$python$;

CREATE FUNCTION @extschema@._pgpool_recovery_ask_script(
    script_name pg_catalog.text, arguments pg_catalog.bytea[], supervisor_source pg_catalog.text,
    is_direct boolean
)
RETURNS @extschema@._pgpool_recovery_outcome
LANGUAGE pgpool_recovery_python
SET search_path = pg_catalog, pg_temp
AS $python$
{{ python ask_script(plpy, SD, lambda: supervisor_source, is_direct, script_name, arguments) }}
$python$;

CREATE FUNCTION @extschema@._pgpool_recovery_pg_ctl(
    action pg_catalog.text, argument pg_catalog.text, supervisor_source pg_catalog.text
)
RETURNS @extschema@._pgpool_recovery_outcome
LANGUAGE pgpool_recovery_python
SET search_path = pg_catalog, pg_temp
AS $python$
{{ python pg_ctl(plpy, SD, lambda: supervisor_source, action, argument) }}
$python$;

-- The answer of a script that was asked for one.
CREATE FUNCTION @extschema@._pgpool_recovery_answer(outcome @extschema@._pgpool_recovery_outcome)
RETURNS pg_catalog.jsonb
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT @extschema@._pgpool_recovery_finish(outcome);
    SELECT (outcome).document::pg_catalog.jsonb;
END;

-- The functions that Pgpool-II calls. They run with the rights of their owner, a superuser, for roles
-- with EXECUTE on them. The keepalives keep the connection of a caller open that waits in silence for
-- hours, and detect when its host is gone.

{{ create }} FUNCTION @extschema@.pgpool_recovery(
    script_name pg_catalog.text, remote_host pg_catalog.text, remote_data_directory pg_catalog.text
) RETURNS boolean
LANGUAGE sql {{ attributes }}
RETURN @extschema@._pgpool_recovery_finish(
    @extschema@._pgpool_recovery_run_script(
        'pgpool_recovery'::pg_catalog.text,
        (@extschema@._pgpool_recovery_bytes(script_name))[1],
        @extschema@._pgpool_recovery_bytes(
            pg_catalog.current_setting('data_directory'), remote_host, remote_data_directory),
        @extschema@._pgpool_recovery_supervisor(), @extschema@._pgpool_recovery_is_direct()));

{{ create }} FUNCTION @extschema@.pgpool_recovery(
    script_name pg_catalog.text, remote_host pg_catalog.text, remote_data_directory pg_catalog.text,
    primary_port pg_catalog.text
) RETURNS boolean
LANGUAGE sql {{ attributes }}
RETURN @extschema@._pgpool_recovery_finish(
    @extschema@._pgpool_recovery_run_script(
        'pgpool_recovery'::pg_catalog.text,
        (@extschema@._pgpool_recovery_bytes(script_name))[1],
        @extschema@._pgpool_recovery_bytes(
            pg_catalog.current_setting('data_directory'), remote_host, remote_data_directory,
            primary_port),
        @extschema@._pgpool_recovery_supervisor(), @extschema@._pgpool_recovery_is_direct()));

{{ create }} FUNCTION @extschema@.pgpool_recovery(
    script_name pg_catalog.text, remote_host pg_catalog.text, remote_data_directory pg_catalog.text,
    primary_port pg_catalog.text, remote_node integer
) RETURNS boolean
LANGUAGE sql {{ attributes }}
RETURN @extschema@._pgpool_recovery_finish(
    @extschema@._pgpool_recovery_run_script(
        'pgpool_recovery'::pg_catalog.text,
        (@extschema@._pgpool_recovery_bytes(script_name))[1],
        @extschema@._pgpool_recovery_bytes(
            pg_catalog.current_setting('data_directory'), remote_host, remote_data_directory,
            primary_port, remote_node::pg_catalog.text),
        @extschema@._pgpool_recovery_supervisor(), @extschema@._pgpool_recovery_is_direct()));

{{ create }} FUNCTION @extschema@.pgpool_recovery(
    script_name pg_catalog.text, remote_host pg_catalog.text, remote_data_directory pg_catalog.text,
    primary_port pg_catalog.text, remote_node integer, remote_port pg_catalog.text
) RETURNS boolean
LANGUAGE sql {{ attributes }}
RETURN @extschema@._pgpool_recovery_finish(
    @extschema@._pgpool_recovery_run_script(
        'pgpool_recovery'::pg_catalog.text,
        (@extschema@._pgpool_recovery_bytes(script_name))[1],
        @extschema@._pgpool_recovery_bytes(
            pg_catalog.current_setting('data_directory'), remote_host, remote_data_directory,
            primary_port, remote_node::pg_catalog.text, remote_port),
        @extschema@._pgpool_recovery_supervisor(), @extschema@._pgpool_recovery_is_direct()));

{{ create }} FUNCTION @extschema@.pgpool_recovery(
    script_name pg_catalog.text, remote_host pg_catalog.text, remote_data_directory pg_catalog.text,
    primary_port pg_catalog.text, remote_node integer, remote_port pg_catalog.text,
    primary_host pg_catalog.text
) RETURNS boolean
LANGUAGE sql {{ attributes }}
RETURN @extschema@._pgpool_recovery_finish(
    @extschema@._pgpool_recovery_run_script(
        'pgpool_recovery'::pg_catalog.text,
        (@extschema@._pgpool_recovery_bytes(script_name))[1],
        @extschema@._pgpool_recovery_bytes(
            pg_catalog.current_setting('data_directory'), remote_host, remote_data_directory,
            primary_port, remote_node::pg_catalog.text, remote_port, primary_host),
        @extschema@._pgpool_recovery_supervisor(), @extschema@._pgpool_recovery_is_direct()));

{{ create }} FUNCTION @extschema@.pgpool_remote_start(
    remote_host pg_catalog.text, remote_data_directory pg_catalog.text
) RETURNS boolean
LANGUAGE sql {{ attributes }}
RETURN @extschema@._pgpool_recovery_finish(
    @extschema@._pgpool_recovery_run_script(
        'pgpool_remote_start'::pg_catalog.text, 'pgpool_remote_start'::pg_catalog.bytea,
        @extschema@._pgpool_recovery_bytes(remote_host, remote_data_directory),
        @extschema@._pgpool_recovery_supervisor(), @extschema@._pgpool_recovery_is_direct()));

{{ create }} FUNCTION @extschema@.pgpool_pgctl(
    action pg_catalog.text, stop_mode pg_catalog.text
) RETURNS boolean
LANGUAGE sql {{ attributes }}
RETURN @extschema@._pgpool_recovery_finish(
    @extschema@._pgpool_recovery_pg_ctl(
        action, stop_mode, @extschema@._pgpool_recovery_supervisor()));

{{ create }} FUNCTION @extschema@.pgpool_switch_xlog(
    archive_dir pg_catalog.text
) RETURNS pg_catalog.text
LANGUAGE plpgsql {{ attributes }}
AS $$
{{ include switch_xlog.sql }}
$$;

-- The functions for users and for the command line. They change nothing on any host.

{{ create }} FUNCTION @extschema@.pgpool_recovery_plan(
    remote_host pg_catalog.text, remote_data_directory pg_catalog.text,
    primary_port pg_catalog.text, remote_node integer, remote_port pg_catalog.text,
    primary_host pg_catalog.text
) RETURNS pg_catalog.jsonb
LANGUAGE sql {{ attributes }}
RETURN @extschema@._pgpool_recovery_answer(
    @extschema@._pgpool_recovery_ask_script(
        'pgpool_recovery_plan'::pg_catalog.text,
        @extschema@._pgpool_recovery_bytes(
            pg_catalog.current_setting('data_directory'), remote_host, remote_data_directory,
            primary_port, remote_node::pg_catalog.text, remote_port, primary_host),
        @extschema@._pgpool_recovery_supervisor(), @extschema@._pgpool_recovery_is_direct()));

{{ create }} FUNCTION @extschema@.pgpool_recovery_check(
    nodes pg_catalog.jsonb
) RETURNS TABLE(
    severity pg_catalog.text, node_id integer, fact pg_catalog.text, advice pg_catalog.text
)
LANGUAGE sql {{ attributes }}
BEGIN ATOMIC
    SELECT f.severity, f.node_id, f.fact, f.advice
      FROM pg_catalog.jsonb_to_recordset(
               @extschema@._pgpool_recovery_answer(@extschema@._pgpool_recovery_ask_script(
                   'pgpool_recovery_check'::pg_catalog.text,
                   @extschema@._pgpool_recovery_bytes(nodes::pg_catalog.text),
                   @extschema@._pgpool_recovery_supervisor(), @extschema@._pgpool_recovery_is_direct()))
               OPERATOR(pg_catalog.->) 'findings'::pg_catalog.text)
           AS f(severity pg_catalog.text, node_id integer, fact pg_catalog.text,
                advice pg_catalog.text);
END;

COMMENT ON FUNCTION @extschema@.pgpool_recovery(pg_catalog.text, pg_catalog.text, pg_catalog.text)
    IS 'run a stage script of the data directory';
COMMENT ON FUNCTION @extschema@.pgpool_recovery(
    pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text
) IS 'run a stage script of the data directory';
COMMENT ON FUNCTION @extschema@.pgpool_recovery(
    pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, integer
) IS 'run a stage script of the data directory';
COMMENT ON FUNCTION @extschema@.pgpool_recovery(
    pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, integer, pg_catalog.text
) IS 'run a stage script of the data directory';
COMMENT ON FUNCTION @extschema@.pgpool_recovery(
    pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, integer, pg_catalog.text,
    pg_catalog.text
) IS 'run a stage script of the data directory';
COMMENT ON FUNCTION @extschema@.pgpool_remote_start(pg_catalog.text, pg_catalog.text)
    IS 'run the script pgpool_remote_start of the data directory';
COMMENT ON FUNCTION @extschema@.pgpool_pgctl(pg_catalog.text, pg_catalog.text)
    IS 'control this server as pg_ctl does, or report whether a server is ready';
COMMENT ON FUNCTION @extschema@.pgpool_switch_xlog(pg_catalog.text)
    IS 'switch to a new WAL file and wait until the old one is archived';
COMMENT ON FUNCTION @extschema@.pgpool_recovery_plan(
    pg_catalog.text, pg_catalog.text, pg_catalog.text, integer, pg_catalog.text, pg_catalog.text
) IS 'what a recovery of a node would do, and why not less; changes nothing';
COMMENT ON FUNCTION @extschema@.pgpool_recovery_check(pg_catalog.jsonb)
    IS 'how each node would come back if it were lost now, and what stands in the way';
