-- Which scripts run, and what is said about those that do not or that fail.
CREATE EXTENSION pgpool_recovery;
\set SHOW_CONTEXT never

-- Error texts hold the data directory, which is another one everywhere.
CREATE FUNCTION attempt(statement text, OUT code text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    message := 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
        detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    detail := replace(detail, current_setting('data_directory'), '<data directory>');
    hint := replace(hint, current_setting('data_directory'), '<data directory>');
END
$$;
\x on
SET client_min_messages = error;

-- The name leads into the data directory.
SELECT * FROM attempt($$SELECT pgpool_recovery('../regress_pgpool', 'host', '/data')$$);
SELECT * FROM attempt($$SELECT pgpool_recovery('/bin/true', 'host', '/data')$$);
SELECT * FROM attempt($$SELECT pgpool_recovery('', 'host', '/data')$$);
SELECT * FROM attempt($$SELECT pgpool_recovery('..', 'host', '/data')$$);

-- The file is a regular one, executable, and others may not write it.
SELECT * FROM attempt($$SELECT pgpool_recovery('regress_pgpool', 'host', '/data')$$);
SELECT * FROM attempt($$SELECT pgpool_recovery('base', 'host', '/data')$$);
COPY (SELECT '#!/bin/sh') TO PROGRAM 'cat > regress_pgpool; chmod 600 regress_pgpool';
SELECT * FROM attempt($$SELECT pgpool_recovery('regress_pgpool', 'host', '/data')$$);
COPY (SELECT) TO PROGRAM 'cat > /dev/null; chmod 702 regress_pgpool';
SELECT * FROM attempt($$SELECT pgpool_recovery('regress_pgpool', 'host', '/data')$$);
COPY (SELECT) TO PROGRAM 'cat > /dev/null; chmod 772 regress_pgpool';
SELECT * FROM attempt($$SELECT pgpool_recovery('regress_pgpool', 'host', '/data')$$);
-- A link leads to one of the server's user or of root, and nobody else can exchange it on the way.
COPY (SELECT) TO PROGRAM 'cat > /dev/null; ln -sf /bin/true regress_pgpool';
SELECT * FROM attempt($$SELECT pgpool_recovery('regress_pgpool', 'host', '/data')$$);
COPY (SELECT) TO PROGRAM
    'cat > /dev/null; mkdir regress_open; cp /bin/true regress_open; chmod 777 regress_open; ln -sf regress_open/true regress_pgpool';
SELECT attempt.message, attempt.detail ~ 'can be replaced by others' AS replaceable,
       attempt.detail ~ 'On the path to it, ".*/regress_open" has mode 0777.$' AS where
  FROM attempt($$SELECT pgpool_recovery('regress_pgpool', 'host', '/data')$$);
COPY (SELECT) TO PROGRAM 'cat > /dev/null; rm -r regress_open';
COPY (SELECT '#!/nowhere/interpreter')
    TO PROGRAM 'rm -f regress_pgpool; cat > regress_pgpool; chmod 700 regress_pgpool';
SELECT * FROM attempt($$SELECT pgpool_recovery('regress_pgpool', 'host', '/data')$$);
\x off
RESET client_min_messages;

-- A script without #! runs in sh, as with the stock extension.
COPY (SELECT 'echo "$2 to $3"') TO PROGRAM 'cat > regress_pgpool; chmod 700 regress_pgpool';
SELECT pgpool_recovery('regress_pgpool', 'host', '/data');

-- What a failed script said and how it ended.
COPY (SELECT unnest(ARRAY['#!/bin/sh', 'echo to stdout', 'echo to stderr >&2', 'exit 3']))
    TO PROGRAM 'cat > regress_pgpool; chmod 700 regress_pgpool';
SELECT pgpool_recovery('regress_pgpool', 'host', '/data');
COPY (SELECT unnest(ARRAY['#!/bin/sh', 'kill -KILL $$'])) TO PROGRAM 'cat > regress_pgpool; chmod 700 regress_pgpool';
SELECT pgpool_recovery('regress_pgpool', 'host', '/data');

-- Of a long output the end is kept; what is not printable is shown as such.
COPY (SELECT unnest(ARRAY['#!/bin/sh', 'seq 100', 'printf ''tab\tescape\033[31m\r\n''', 'exit 1']))
    TO PROGRAM 'cat > regress_pgpool; chmod 700 regress_pgpool' (FORMAT csv, QUOTE E'\x01');
SET client_min_messages = error;
SELECT pgpool_recovery('regress_pgpool', 'host', '/data');
RESET client_min_messages;

-- A record of a stage command, instead of the last lines.
COPY (SELECT unnest(ARRAY['#!/bin/sh', 'echo progress',
    'printf ''\036%s '' "$PGPOOL_RECOVERY_SECRET"', 'printf ''{"message": "no space left on node 1", "detail": "It needs 5 GB.", ''',
    'printf ''"hint": "Make room.", "target": "untouched"}\n''', 'exit 4']))
    TO PROGRAM 'cat > regress_pgpool; chmod 700 regress_pgpool'
    (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02');
SELECT pgpool_recovery('regress_pgpool', 'host', '/data');
-- What another host has said is none, and controls no terminal; nor is a record without its parts.
COPY (SELECT unnest(ARRAY['#!/bin/sh',
    'printf ''node 1: \r\036{"message": "forged", "target": "untouched"}\n''',
    'printf ''\036%s {"message": "forged", "target": "untouched"}\n'' 0',
    'printf ''\036%s '' "$PGPOOL_RECOVERY_SECRET"',
    'printf ''%s\n'' ''{"message": "a\nb\u001b[2J", "detail": "c\nd\u009be", "target": "untouched"}''',
    'exit 4'])) TO PROGRAM 'cat > regress_pgpool; chmod 700 regress_pgpool'
    (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02');
SELECT pgpool_recovery('regress_pgpool', 'host', '/data');
COPY (SELECT unnest(ARRAY['#!/bin/sh', 'printf ''\036{"no": "record"}\n''', 'exit 4']))
    TO PROGRAM 'cat > regress_pgpool; chmod 700 regress_pgpool' (FORMAT csv, QUOTE E'\x01');
SELECT pgpool_recovery('regress_pgpool', 'host', '/data');

-- statement_timeout ends it.
COPY (SELECT unnest(ARRAY['#!/bin/sh', 'exec sleep 60'])) TO PROGRAM 'cat > regress_pgpool; chmod 700 regress_pgpool';
SET statement_timeout = '300ms';
SELECT pgpool_recovery('regress_pgpool', 'host', '/data');
RESET statement_timeout;

-- The script that starts the node has a fixed name; one that is there is put aside.
COPY (SELECT) TO PROGRAM 'cat > /dev/null; test ! -e pgpool_remote_start || mv pgpool_remote_start regress_saved';
COPY (SELECT unnest(ARRAY['#!/bin/sh', 'echo "$# words: $1 $2"; test $1 = good']))
    TO PROGRAM 'cat > regress_pgpool; chmod 700 regress_pgpool';
SET client_min_messages = error;
SELECT attempt.message, attempt.detail
  FROM attempt($$SELECT pgpool_remote_start('good', '/data')$$);
RESET client_min_messages;
COPY (SELECT) TO PROGRAM 'cat > /dev/null; mv regress_pgpool pgpool_remote_start';
SELECT pgpool_remote_start('good', '/data $(false)');
SELECT pgpool_remote_start('bad', '/data');

COPY (SELECT) TO PROGRAM 'cat > /dev/null; rm -f pgpool_remote_start
    test ! -e regress_saved || mv regress_saved pgpool_remote_start';
DROP FUNCTION attempt;
DROP EXTENSION pgpool_recovery;
