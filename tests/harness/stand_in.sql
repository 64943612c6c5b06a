-- In place of our extension, in a server without PL/Python: the functions that Pgpool-II calls. They run
-- the stage commands with the same arguments, as by hand, and then repeat their lines as NOTICEs.

CREATE FUNCTION run_stage(name text, VARIADIC words text[]) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    output text := format('/tmp/stage-%s', pg_backend_pid());
    here text := format('export PGHOST=%L PGPORT=%L PGDATABASE=%L',
        current_setting('unix_socket_directories'), current_setting('port'), current_database());
    command text := format('%L', current_setting('data_directory') || '/' || name);
    word text;
    line text;
    succeeded boolean := true;
BEGIN
    FOREACH word IN ARRAY words LOOP
        command := format('%s %L', command, word);
    END LOOP;
    BEGIN
        EXECUTE format('COPY (SELECT) TO PROGRAM %L', format('%s; %s >%s 2>&1', here, command, output));
    EXCEPTION WHEN external_routine_exception THEN
        succeeded := false;
    END;
    FOREACH line IN ARRAY string_to_array(rtrim(pg_read_file(output), E'\n'), E'\n') LOOP
        RAISE NOTICE '%', line;
    END LOOP;
    IF NOT succeeded THEN
        RAISE 'stage "%" failed', name;
    END IF;
    RETURN true;
END
$$;

CREATE FUNCTION pgpool_recovery(
    script_name text, remote_host text, remote_data_directory text, primary_port text,
    remote_node integer, remote_port text, primary_host text
) RETURNS boolean
LANGUAGE sql
RETURN run_stage(script_name, current_setting('data_directory'), remote_host, remote_data_directory,
    primary_port, remote_node::text, remote_port, primary_host);

CREATE FUNCTION pgpool_remote_start(remote_host text, remote_data_directory text) RETURNS boolean
LANGUAGE sql
RETURN run_stage('pgpool_remote_start', remote_host, remote_data_directory);
