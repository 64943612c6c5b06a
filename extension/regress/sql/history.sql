-- Recoveries on record: who may read them, and what the views show.
CREATE EXTENSION pgpool_recovery;
SELECT c.relname, c.relkind, c.relacl IS NOT NULL AS granted,
       has_table_privilege('pg_monitor', c.oid, 'SELECT') AS monitor_reads,
       has_table_privilege('pg_monitor', c.oid, 'INSERT') AS monitor_writes
  FROM pg_class c
  JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
 WHERE c.relname LIKE 'pgpool%' AND c.relkind IN ('r', 'v')
 ORDER BY 1;

INSERT INTO pgpool_recovery_run (node_id, host, data_directory, state, done_bytes, total_bytes, bytes_per_s)
VALUES (1, 'server1', '/data', 'running', 30, 120, 10), (2, 'server2', '/data', 'copied', NULL, NULL, NULL);
INSERT INTO pgpool_recovery_run (node_id, host, data_directory, state, ended_at, started_at, exit_status)
VALUES (1, 'server1', '/data', 'recovered', '2026-11-24 12:00:07Z', '2026-11-24 12:00:00Z', 0);
\set VERBOSITY terse
INSERT INTO pgpool_recovery_run (host, data_directory, state) VALUES ('server1', '/data', 'lost');
\set VERBOSITY default

-- Without its session, which carries the name of the run, a runner is gone.
SELECT id, node_id, state, percent, seconds_left FROM pgpool_recovery_progress ORDER BY id;
SET application_name = 'pgpool-recovery run 1';
SELECT id, state FROM pgpool_recovery_progress ORDER BY id;
RESET application_name;

-- A rate near zero says nothing about the time that is left.
UPDATE pgpool_recovery_run SET bytes_per_s = 2 ^ -18 WHERE id = 1;
SELECT id, percent, seconds_left FROM pgpool_recovery_progress WHERE id = 1;
UPDATE pgpool_recovery_run SET bytes_per_s = 1e-6 WHERE id = 1;
SELECT id, percent, seconds_left FROM pgpool_recovery_progress WHERE id = 1;
UPDATE pgpool_recovery_run SET bytes_per_s = 1e-300 WHERE id = 1;
SELECT id, percent, seconds_left FROM pgpool_recovery_progress WHERE id = 1;
UPDATE pgpool_recovery_run SET bytes_per_s = 10 WHERE id = 1;

-- The time left of the whole run counts down by itself. One that is overdue, or has no runner, shows none.
UPDATE pgpool_recovery_run SET expected_end_at = now() + interval '1 hour' WHERE id = 1;
SELECT run_seconds_left FROM pgpool_recovery_progress WHERE id = 1;
SET application_name = 'pgpool-recovery run 1';
SELECT run_seconds_left BETWEEN 3500 AND 3600 AS counts_down FROM pgpool_recovery_progress WHERE id = 1;
UPDATE pgpool_recovery_run SET expected_end_at = now() - interval '1 second' WHERE id = 1;
SELECT run_seconds_left FROM pgpool_recovery_progress WHERE id = 1;
RESET application_name;
SELECT id, node_id, state, duration, exit_status FROM pgpool_recovery_history;

-- The events of a run are deleted with it.
INSERT INTO pgpool_recovery_event (run_id, number, kind, line, data) VALUES (3, 1, 'said', 'x', '{}');
DELETE FROM pgpool_recovery_run WHERE id = 3;
SELECT count(*) FROM pgpool_recovery_event;
DROP EXTENSION pgpool_recovery;
