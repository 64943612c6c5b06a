-- Recoveries as recorded by the runner: one row each, and the events in it. They are in the database
-- named by the setting history.database; elsewhere these tables stay empty.
CREATE TABLE @extschema@.pgpool_recovery_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recovery_id pg_catalog.text,
    node_id integer,
    host pg_catalog.text NOT NULL,
    data_directory pg_catalog.text NOT NULL,
    port integer,
    primary_host pg_catalog.text,
    primary_port integer,
    started_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    ended_at pg_catalog.timestamptz,
    state pg_catalog.text NOT NULL CHECK (
        state OPERATOR(pg_catalog.=) ANY (
            ARRAY['running', 'copied', 'starting', 'recovered', 'failed', 'cancelled'])),
    method pg_catalog.text,
    plan pg_catalog.text[],
    step integer,
    steps integer,
    sentence pg_catalog.text,
    done_bytes bigint,
    total_bytes bigint,
    bytes_per_s double precision,
    moved_bytes bigint,
    work_bytes bigint,
    work_s double precision,
    work_ended_at pg_catalog.timestamptz,
    expected_end_at pg_catalog.timestamptz,
    message pg_catalog.text,
    detail pg_catalog.text,
    hint pg_catalog.text,
    target_state pg_catalog.text,
    exit_status integer,
    backend_pid integer
);

CREATE INDEX pgpool_recovery_run_target
    ON @extschema@.pgpool_recovery_run (host, data_directory);

CREATE TABLE @extschema@.pgpool_recovery_event (
    run_id bigint NOT NULL REFERENCES @extschema@.pgpool_recovery_run ON DELETE CASCADE,
    number integer NOT NULL,
    at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    kind pg_catalog.text NOT NULL,
    line pg_catalog.text NOT NULL,
    data pg_catalog.jsonb NOT NULL,
    PRIMARY KEY (run_id, number)
);

-- Is the runner of a recovery alive? Its session carries the name of the run as long as it is. Any
-- role can take a name, or a lock, so it counts only from a role that may write the record anyway.
CREATE FUNCTION @extschema@._pgpool_recovery_is_alive(run_id bigint) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT FROM pg_catalog.pg_stat_activity AS a
         WHERE a.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
           AND a.application_name
               OPERATOR(pg_catalog.=) pg_catalog.concat('pgpool-recovery run ', run_id)
           AND pg_catalog.has_table_privilege(
                   a.usesysid, '@extschema@.pgpool_recovery_run'::pg_catalog.regclass, 'INSERT'));
END;

CREATE VIEW @extschema@.pgpool_recovery_history AS
SELECT r.id, r.node_id, r.host, r.data_directory,
       -- A standby does not see the sessions of the primary.
       CASE WHEN r.ended_at IS NOT NULL OR r.state OPERATOR(pg_catalog.=) 'copied'
              OR pg_catalog.pg_is_in_recovery()
              OR @extschema@._pgpool_recovery_is_alive(r.id) THEN r.state
            ELSE 'interrupted' END AS state,
       r.method, r.started_at, r.ended_at, r.ended_at OPERATOR(pg_catalog.-) r.started_at AS duration,
       r.moved_bytes, r.message, r.detail, r.hint, r.target_state, r.exit_status
  FROM @extschema@.pgpool_recovery_run AS r
 ORDER BY r.id DESC;

CREATE VIEW @extschema@.pgpool_recovery_progress AS
SELECT r.id, r.node_id, r.host, r.data_directory, h.state, r.method, r.step, r.steps, r.sentence,
       r.done_bytes, r.total_bytes,
       CASE WHEN r.total_bytes OPERATOR(pg_catalog.>) 0
            THEN least(100, pg_catalog.round(
                     100.0 OPERATOR(pg_catalog.*) r.done_bytes
                     OPERATOR(pg_catalog./) r.total_bytes))::integer END AS percent,
       r.bytes_per_s,
       -- A rate near zero says nothing: more than 366 days are not shown.
       CASE WHEN r.total_bytes OPERATOR(pg_catalog.>) 0 AND r.bytes_per_s OPERATOR(pg_catalog.>) 0
             AND r.bytes_per_s OPERATOR(pg_catalog.>=)
                 (greatest(0, r.total_bytes OPERATOR(pg_catalog.-) r.done_bytes)
                  OPERATOR(pg_catalog./) 31622400.0::double precision)
            THEN pg_catalog.ceil(
                     greatest(0, r.total_bytes OPERATOR(pg_catalog.-) r.done_bytes)
                     OPERATOR(pg_catalog./) r.bytes_per_s)::integer END AS seconds_left,
       -- One that takes longer than expected shows none.
       CASE WHEN h.state OPERATOR(pg_catalog.<>) 'interrupted'
             AND r.expected_end_at OPERATOR(pg_catalog.>=) pg_catalog.clock_timestamp()
            THEN pg_catalog.ceil(pg_catalog.date_part('epoch',
                     r.expected_end_at OPERATOR(pg_catalog.-) pg_catalog.clock_timestamp()))::integer
            END AS run_seconds_left,
       r.started_at, pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) r.started_at AS elapsed,
       r.backend_pid
  FROM @extschema@.pgpool_recovery_run AS r
  JOIN @extschema@.pgpool_recovery_history AS h ON h.id OPERATOR(pg_catalog.=) r.id
 WHERE r.ended_at IS NULL;

COMMENT ON TABLE @extschema@.pgpool_recovery_run IS 'recoveries of nodes';
COMMENT ON TABLE @extschema@.pgpool_recovery_event IS 'what happened in each recovery';
COMMENT ON VIEW @extschema@.pgpool_recovery_progress IS 'recoveries that have not ended';
COMMENT ON VIEW @extschema@.pgpool_recovery_history IS 'all recoveries, the newest first';

-- pg_dump must include the rows.
SELECT pg_catalog.pg_extension_config_dump('@extschema@.pgpool_recovery_run', '');
SELECT pg_catalog.pg_extension_config_dump(
    pg_catalog.pg_get_serial_sequence('@extschema@.pgpool_recovery_run', 'id'), '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.pgpool_recovery_event', '');
