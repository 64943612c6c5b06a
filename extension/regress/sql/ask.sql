-- The functions that ask a script: its arguments, its answer, and the errors when there is none.
CREATE EXTENSION pgpool_recovery;
\set SHOW_CONTEXT never

-- Our own scripts, if present, are moved aside.
COPY (SELECT) TO PROGRAM 'cat > /dev/null
    for name in plan check; do
        test ! -e pgpool_recovery_$name || mv pgpool_recovery_$name regress_saved_$name; done';

-- Without a script there is no answer.
DO $$
DECLARE
    message text;
    hint text;
BEGIN
    PERFORM pgpool_recovery_plan('host', '/data', '5432', 1, '5433', 'primary');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RAISE NOTICE '%', replace(message, current_setting('data_directory'), '<data directory>');
    RAISE NOTICE '%', replace(hint, current_setting('data_directory'), '<data directory>');
END
$$;

-- The arguments are those of pgpool_recovery(); an answer is JSON on one line.
COPY (SELECT unnest(ARRAY['#!/bin/sh', 'test "$1" = "$PWD" && shift', 'echo "words: $*"',
    'printf ''\036%s '' "$PGPOOL_RECOVERY_SECRET"', 'printf ''{"answer": {"version": 1, "possible": true, "name": "%s"}}\n'' ünïcode']))
    TO PROGRAM 'cat > pgpool_recovery_plan; chmod 700 pgpool_recovery_plan'
    (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02');
SELECT pgpool_recovery_plan('host', '/data $(false)', '5432', 1, '5433', 'primary');
SELECT pgpool_recovery_plan('host', '/data', '5432', NULL, '5433', 'primary') IS NULL AS nothing;

-- A failure in parts is the error itself, with its SQLSTATE.
COPY (SELECT unnest(ARRAY['#!/bin/sh',
    'printf ''\036%s '' "$PGPOOL_RECOVERY_SECRET"', 'printf ''{"message": "settings file /etc/x has 1 error", "detail": "It says so.", ''',
    'printf ''"hint": null, "target": "untouched", "sqlstate": "F0000"}\n''', 'exit 3']))
    TO PROGRAM 'cat > pgpool_recovery_plan; chmod 700 pgpool_recovery_plan'
    (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02');
DO $$
DECLARE
    code text;
    message text;
    detail text;
BEGIN
    PERFORM pgpool_recovery_plan('host', '/data', '5432', 1, '5433', 'primary');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
        detail = PG_EXCEPTION_DETAIL;
    RAISE EXCEPTION '% % %', code, message, detail USING ERRCODE = code;
END
$$;

-- A script that fails otherwise, or gives no answer that can be parsed.
COPY (SELECT unnest(ARRAY['#!/bin/sh', 'echo no', 'exit 3']))
    TO PROGRAM 'cat > pgpool_recovery_plan; chmod 700 pgpool_recovery_plan';
SELECT pgpool_recovery_plan('host', '/data', '5432', 1, '5433', 'primary');
COPY (SELECT unnest(ARRAY['#!/bin/sh', 'printf ''\036{"answer": {\n''']))
    TO PROGRAM 'cat > pgpool_recovery_plan; chmod 700 pgpool_recovery_plan'
    (FORMAT csv, QUOTE E'\x01');
SELECT pgpool_recovery_plan('host', '/data', '5432', 1, '5433', 'primary');

-- statement_timeout ends it.
COPY (SELECT unnest(ARRAY['#!/bin/sh', 'exec sleep 60']))
    TO PROGRAM 'cat > pgpool_recovery_plan; chmod 700 pgpool_recovery_plan';
SET statement_timeout = '300ms';
SELECT pgpool_recovery_plan('host', '/data', '5432', 1, '5433', 'primary');
RESET statement_timeout;

-- The findings of a check are rows.
COPY (SELECT unnest(ARRAY['#!/bin/sh', 'echo "asked for: $1"',
    'printf ''\036%s '' "$PGPOOL_RECOVERY_SECRET"', 'printf ''{"answer": {"version": 1, "findings": [''',
    'printf ''{"severity": "ok", "node_id": 1, "fact": "node 1 would come back by catch-up", ''',
    'printf ''"advice": null}, {"severity": "error", "node_id": null, "fact": "no ssh", ''',
    'printf ''"advice": "Give it a key."}]}}\n''']))
    TO PROGRAM 'cat > pgpool_recovery_check; chmod 700 pgpool_recovery_check'
    (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02');
SELECT * FROM pgpool_recovery_check('[{"node_id": 1}]');
SELECT count(*) FROM pgpool_recovery_check(NULL);

COPY (SELECT) TO PROGRAM 'cat > /dev/null; rm -f pgpool_recovery_plan pgpool_recovery_check
    for name in plan check; do
        test ! -e regress_saved_$name || mv regress_saved_$name pgpool_recovery_$name; done';
DROP EXTENSION pgpool_recovery;
