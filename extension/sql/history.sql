-- Recoveries, as the runner writes them down: one row each, and what happened in it. They are in the
-- database that history.database of the settings names; elsewhere they stay empty.
CREATE TABLE pgpool_recovery_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recovery_id text,
    node_id integer,
    host text NOT NULL,
    data_directory text NOT NULL,
    port integer,
    primary_host text,
    primary_port integer,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    state text NOT NULL CHECK (
        state IN ('running', 'copied', 'starting', 'recovered', 'failed', 'cancelled')),
    method text,
    plan text[],
    step integer,
    steps integer,
    sentence text,
    done_bytes bigint,
    total_bytes bigint,
    bytes_per_s double precision,
    moved_bytes bigint,
    message text,
    detail text,
    hint text,
    target_state text,
    exit_status integer,
    backend_pid integer
);

CREATE INDEX pgpool_recovery_run_target ON pgpool_recovery_run (host, data_directory);

CREATE TABLE pgpool_recovery_event (
    run_id bigint NOT NULL REFERENCES pgpool_recovery_run ON DELETE CASCADE,
    number integer NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL,
    line text NOT NULL,
    data jsonb NOT NULL,
    PRIMARY KEY (run_id, number)
);

-- Is the runner of a recovery alive: its session carries the run's name as long as it is. Anybody
-- can take a name, or a lock, so it counts only from a role that may write the record anyway.
CREATE FUNCTION _pgpool_recovery_is_alive(run_id bigint) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_stat_activity AS a
     WHERE a.datname = pg_catalog.current_database()
       AND a.application_name = pg_catalog.concat('pgpool-recovery run ', $1)
       AND pg_catalog.has_table_privilege(
               a.usesysid, '@extschema@.pgpool_recovery_run'::pg_catalog.regclass, 'INSERT'))
$$;

CREATE VIEW pgpool_recovery_history AS
SELECT r.id, r.node_id, r.host, r.data_directory,
       -- A standby does not see the locks of the primary.
       CASE WHEN r.ended_at IS NOT NULL OR r.state = 'copied' OR pg_catalog.pg_is_in_recovery()
              OR @extschema@._pgpool_recovery_is_alive(r.id) THEN r.state
            ELSE 'interrupted' END AS state,
       r.method, r.started_at, r.ended_at, r.ended_at - r.started_at AS duration, r.moved_bytes,
       r.message, r.detail, r.hint, r.target_state, r.exit_status
  FROM pgpool_recovery_run AS r
 ORDER BY r.id DESC;

CREATE VIEW pgpool_recovery_progress AS
SELECT r.id, r.node_id, r.host, r.data_directory, h.state, r.method, r.step, r.steps, r.sentence,
       r.done_bytes, r.total_bytes,
       CASE WHEN r.total_bytes > 0
            THEN least(100, round(100.0 * r.done_bytes / r.total_bytes))::integer END AS percent,
       r.bytes_per_s,
       CASE WHEN r.total_bytes > 0 AND r.bytes_per_s > 0
            THEN ceil(greatest(0, r.total_bytes - r.done_bytes) / r.bytes_per_s)::integer
            END AS seconds_left,
       r.started_at, clock_timestamp() - r.started_at AS elapsed, r.backend_pid
  FROM pgpool_recovery_run AS r JOIN pgpool_recovery_history AS h USING (id)
 WHERE r.ended_at IS NULL;

COMMENT ON TABLE pgpool_recovery_run IS 'recoveries of nodes';
COMMENT ON TABLE pgpool_recovery_event IS 'what happened in each recovery';
COMMENT ON VIEW pgpool_recovery_progress IS 'recoveries that have not ended';
COMMENT ON VIEW pgpool_recovery_history IS 'all recoveries, the newest first';

-- Whatever ALTER DEFAULT PRIVILEGES says.
REVOKE ALL ON pgpool_recovery_run, pgpool_recovery_event, pgpool_recovery_progress,
    pgpool_recovery_history FROM PUBLIC;
REVOKE ALL ON FUNCTION _pgpool_recovery_is_alive(bigint) FROM PUBLIC;
GRANT SELECT ON pgpool_recovery_run, pgpool_recovery_event, pgpool_recovery_progress,
    pgpool_recovery_history TO pg_monitor;
GRANT EXECUTE ON FUNCTION _pgpool_recovery_is_alive(bigint) TO pg_monitor;

-- pg_dump shall have the rows.
SELECT pg_catalog.pg_extension_config_dump('pgpool_recovery_run', '');
SELECT pg_catalog.pg_extension_config_dump('pgpool_recovery_run_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('pgpool_recovery_event', '');
