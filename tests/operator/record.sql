-- The record of recoveries as an extension that has it keeps it, made by hand.
CREATE TABLE IF NOT EXISTS pgpool_recovery_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recovery_id text, node_id integer, host text, data_directory text, port integer,
    primary_host text, primary_port integer, started_at timestamptz, ended_at timestamptz,
    state text, method text, plan text[], step integer, steps integer, sentence text,
    done_bytes bigint, total_bytes bigint, bytes_per_s double precision, moved_bytes bigint,
    message text, detail text, hint text, target_state text, exit_status integer,
    backend_pid integer
);
CREATE TABLE IF NOT EXISTS pgpool_recovery_event (
    run_id bigint REFERENCES pgpool_recovery_run ON DELETE CASCADE,
    number integer, at timestamptz, kind text, line text, data jsonb,
    PRIMARY KEY (run_id, number)
);
CREATE OR REPLACE VIEW pgpool_recovery_progress AS
SELECT id, node_id, host, data_directory, state, method, step, steps, sentence, done_bytes,
       total_bytes, 100.0 * done_bytes / nullif(total_bytes, 0) AS percent, bytes_per_s,
       (total_bytes - done_bytes) / nullif(bytes_per_s, 0) AS seconds_left, started_at,
       now() - started_at AS elapsed, backend_pid
  FROM pgpool_recovery_run WHERE ended_at IS NULL;
CREATE OR REPLACE VIEW pgpool_recovery_history AS
SELECT id, node_id, host, data_directory, state, method, started_at, ended_at,
       coalesce(ended_at, now()) - started_at AS duration, moved_bytes, message, detail, hint,
       target_state, exit_status
  FROM pgpool_recovery_run;
