-- The program of the process that runs scripts for a backend and ends them when it is gone.
CREATE FUNCTION _pgpool_recovery_supervisor() RETURNS text
LANGUAGE sql IMMUTABLE
AS $sql$
SELECT $supervisor$
{{ supervisor }}
$supervisor$::text
$sql$;

CREATE FUNCTION _pgpool_recovery_run_script(function_name text, script_name text, arguments text[])
RETURNS @extschema@._pgpool_recovery_outcome
LANGUAGE pgpool_recovery_python
AS $python$
def supervisor_program():
    rows = plpy.execute('select @extschema@._pgpool_recovery_supervisor() as program')
    return rows[0]['program']


{{ python run_script(plpy, SD, supervisor_program, function_name, script_name, arguments) }}
$python$;

CREATE FUNCTION _pgpool_recovery_ask_script(script_name text, arguments text[])
RETURNS @extschema@._pgpool_recovery_outcome
LANGUAGE pgpool_recovery_python
AS $python$
def supervisor_program():
    rows = plpy.execute('select @extschema@._pgpool_recovery_supervisor() as program')
    return rows[0]['program']


{{ python ask_script(plpy, SD, supervisor_program, script_name, arguments) }}
$python$;

CREATE FUNCTION _pgpool_recovery_pg_ctl(action text, argument text)
RETURNS @extschema@._pgpool_recovery_outcome
LANGUAGE pgpool_recovery_python
AS $python$
def supervisor_program():
    rows = plpy.execute('select @extschema@._pgpool_recovery_supervisor() as program')
    return rows[0]['program']


{{ python pg_ctl(plpy, SD, supervisor_program, action, argument) }}
$python$;

-- What a script answered that was asked.
CREATE FUNCTION _pgpool_recovery_answer(outcome @extschema@._pgpool_recovery_outcome)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM @extschema@._pgpool_recovery_finish(outcome);
    RETURN outcome.document::jsonb;
END
$$;

-- The path of a WAL segment in the archive directory, also when it is compressed, once it is there
-- as a whole: archived says the server, or it has its size.
CREATE FUNCTION _pgpool_recovery_archived(archive_dir text, segment text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    suffix text;
    path text;
    size bigint;
    is_archived boolean := current_setting('archive_mode') <> 'off'
        AND pg_stat_file('pg_wal/archive_status/' || segment || '.ready', true) IS NULL;
BEGIN
    FOREACH suffix IN ARRAY ARRAY['', '.gz', '.zst', '.lz4', '.bz2', '.xz']
    LOOP
        path := archive_dir || '/' || segment || suffix;
        size := (pg_stat_file(path, true)).size;
        IF size > 0 AND (
            is_archived
            OR suffix = '' AND size = pg_size_bytes(current_setting('wal_segment_size'))
            OR suffix <> '' AND current_setting('archive_mode') = 'off'
        ) THEN
            RETURN path;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

-- The functions that Pgpool-II calls. They run with the rights of their owner, a superuser, for
-- whom EXECUTE on them was granted. The keepalives hold the connection of a caller that waits for
-- hours in silence open, and notice when its host is gone.

{{ create }} FUNCTION pgpool_recovery(
    script_name text, remote_host text, remote_data_directory text
) RETURNS boolean
{{ attributes }}
AS $$
BEGIN
    RETURN @extschema@._pgpool_recovery_finish(@extschema@._pgpool_recovery_run_script(
        'pgpool_recovery', $1, ARRAY[current_setting('data_directory'), $2, $3]));
END
$$;

{{ create }} FUNCTION pgpool_recovery(
    script_name text, remote_host text, remote_data_directory text, primary_port text
) RETURNS boolean
{{ attributes }}
AS $$
BEGIN
    RETURN @extschema@._pgpool_recovery_finish(@extschema@._pgpool_recovery_run_script(
        'pgpool_recovery', $1, ARRAY[current_setting('data_directory'), $2, $3, $4]));
END
$$;

{{ create }} FUNCTION pgpool_recovery(
    script_name text, remote_host text, remote_data_directory text, primary_port text,
    remote_node integer
) RETURNS boolean
{{ attributes }}
AS $$
BEGIN
    RETURN @extschema@._pgpool_recovery_finish(@extschema@._pgpool_recovery_run_script(
        'pgpool_recovery', $1, ARRAY[current_setting('data_directory'), $2, $3, $4, $5::text]));
END
$$;

{{ create }} FUNCTION pgpool_recovery(
    script_name text, remote_host text, remote_data_directory text, primary_port text,
    remote_node integer, remote_port text
) RETURNS boolean
{{ attributes }}
AS $$
BEGIN
    RETURN @extschema@._pgpool_recovery_finish(@extschema@._pgpool_recovery_run_script(
        'pgpool_recovery', $1, ARRAY[current_setting('data_directory'), $2, $3, $4, $5::text, $6]));
END
$$;

{{ create }} FUNCTION pgpool_recovery(
    script_name text, remote_host text, remote_data_directory text, primary_port text,
    remote_node integer, remote_port text, primary_host text
) RETURNS boolean
{{ attributes }}
AS $$
BEGIN
    RETURN @extschema@._pgpool_recovery_finish(@extschema@._pgpool_recovery_run_script(
        'pgpool_recovery', $1,
        ARRAY[current_setting('data_directory'), $2, $3, $4, $5::text, $6, $7]));
END
$$;

{{ create }} FUNCTION pgpool_remote_start(
    remote_host text, remote_data_directory text
) RETURNS boolean
{{ attributes }}
AS $$
BEGIN
    RETURN @extschema@._pgpool_recovery_finish(@extschema@._pgpool_recovery_run_script(
        'pgpool_remote_start', 'pgpool_remote_start', ARRAY[$1, $2]));
END
$$;

{{ create }} FUNCTION pgpool_pgctl(
    action text, stop_mode text
) RETURNS boolean
{{ attributes }}
AS $$
BEGIN
    RETURN @extschema@._pgpool_recovery_finish(@extschema@._pgpool_recovery_pg_ctl($1, $2));
END
$$;

{{ create }} FUNCTION pgpool_switch_xlog(
    archive_dir text
) RETURNS text
{{ attributes }}
AS $$
{{ include switch_xlog.sql }}
$$;

-- The functions for people and for the command. They change nothing on any host.

{{ create }} FUNCTION pgpool_recovery_plan(
    remote_host text, remote_data_directory text, primary_port text,
    remote_node integer, remote_port text, primary_host text
) RETURNS jsonb
{{ attributes }}
AS $$
BEGIN
    RETURN @extschema@._pgpool_recovery_answer(@extschema@._pgpool_recovery_ask_script(
        'pgpool_recovery_plan',
        ARRAY[current_setting('data_directory'), $1, $2, $3, $4::text, $5, $6]));
END
$$;

{{ create }} FUNCTION pgpool_recovery_check(nodes jsonb)
RETURNS TABLE(severity text, node_id integer, fact text, advice text)
{{ attributes }}
AS $$
BEGIN
    RETURN QUERY
        SELECT f.severity, f.node_id, f.fact, f.advice
          FROM jsonb_to_recordset(
                   @extschema@._pgpool_recovery_answer(@extschema@._pgpool_recovery_ask_script(
                       'pgpool_recovery_check', ARRAY[$1::text])) -> 'findings')
               AS f(severity text, node_id integer, fact text, advice text);
END
$$;

COMMENT ON FUNCTION pgpool_recovery(text, text, text)
    IS 'run a stage script of the data directory';
COMMENT ON FUNCTION pgpool_recovery(text, text, text, text)
    IS 'run a stage script of the data directory';
COMMENT ON FUNCTION pgpool_recovery(text, text, text, text, integer)
    IS 'run a stage script of the data directory';
COMMENT ON FUNCTION pgpool_recovery(text, text, text, text, integer, text)
    IS 'run a stage script of the data directory';
COMMENT ON FUNCTION pgpool_recovery(text, text, text, text, integer, text, text)
    IS 'run a stage script of the data directory';
COMMENT ON FUNCTION pgpool_remote_start(text, text)
    IS 'run the script pgpool_remote_start of the data directory';
COMMENT ON FUNCTION pgpool_pgctl(text, text)
    IS 'control this server as pg_ctl does, or tell whether a server is ready';
COMMENT ON FUNCTION pgpool_switch_xlog(text)
    IS 'switch to a new WAL file and wait until the old one is archived';
COMMENT ON FUNCTION pgpool_recovery_plan(text, text, text, integer, text, text)
    IS 'what a recovery of a node would do, and why not less; changes nothing';
COMMENT ON FUNCTION pgpool_recovery_check(jsonb)
    IS 'how each node would come back if it were lost now, and what stands in the way';
