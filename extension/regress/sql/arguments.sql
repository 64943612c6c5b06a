-- The arguments reach the script in upstream's order, and never a shell.
CREATE EXTENSION pgpool_recovery;
\set SHOW_CONTEXT never
COPY (SELECT unnest(ARRAY[
    '#!/bin/sh',
    'test "$1" = "$PWD" && echo "1: the data directory"',
    'shift; for word in "$@"; do echo "word: $word" | cut -c 1-60; echo "length: ${#word}"; done']))
    TO PROGRAM 'cat > regress_pgpool; chmod 700 regress_pgpool';

SELECT pgpool_recovery('regress_pgpool', 'host', '/data');
SELECT pgpool_recovery('regress_pgpool', 'host', '/data', '5432');
SELECT pgpool_recovery('regress_pgpool', 'host', '/data', '5432', 1);
SELECT pgpool_recovery('regress_pgpool', 'host', '/data', '5432', 1, '5433');
SELECT pgpool_recovery('regress_pgpool', 'host', '/data', '5432', 1, '5433', 'primary');

-- Metacharacters are ordinary characters.
SELECT pgpool_recovery('regress_pgpool', '$(echo executed)', '`echo executed`', '"; echo executed; "',
    1, '''; echo executed; ''', '$HOME \n * ? & | > ~');
SELECT pgpool_recovery('regress_pgpool', '', '-rf /', E'two\nlines', 1, 'ünïcode', '%s %d');

-- There is no limit of 1024 bytes.
SELECT pgpool_recovery('regress_pgpool', 'host', repeat('/data', 2000));

-- The script's environment leads back to this server, with our own variable names.
COPY (SELECT unnest(ARRAY[
    '#!/bin/sh',
    'test "$PGPOOL_RECOVERY_PGDATABASE" = "$2" && test "$PGPOOL_RECOVERY_PGPORT" = "$3" &&',
    'test -n "$PGPOOL_RECOVERY_PGHOST" && test "$PGDATABASE" != "$2" && echo "this server"',
    'test -n "$PGPOOL_RECOVERY_ID" && test "$PGDATA" = "$PWD" && echo "and its environment"']))
    TO PROGRAM 'cat > regress_pgpool; chmod 700 regress_pgpool';
SELECT pgpool_recovery('regress_pgpool', current_database(), current_setting('port'));

-- All functions are strict.
SELECT pgpool_recovery('regress_pgpool', NULL, '/data') IS NULL AS nothing;
SELECT pgpool_recovery('regress_pgpool', 'host', '/data', '5432', NULL, '5433', 'primary') IS NULL AS nothing;
SELECT pgpool_remote_start(NULL, '/data') IS NULL AS nothing;
SELECT pgpool_pgctl('stop', NULL) IS NULL AS nothing;
SELECT pgpool_switch_xlog(NULL) IS NULL AS nothing;

COPY (SELECT) TO PROGRAM 'cat > /dev/null; rm -f regress_pgpool';
DROP EXTENSION pgpool_recovery;
