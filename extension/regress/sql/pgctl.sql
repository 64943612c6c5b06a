-- pgpool_pgctl(): only known actions with a valid second argument.
CREATE EXTENSION pgpool_recovery;
\set SHOW_CONTEXT never

SELECT pgpool_pgctl('bogus', 'nonsense');
SELECT pgpool_pgctl('start', '');
SELECT pgpool_pgctl('stop', 'slow');
SELECT pgpool_pgctl('restart', '/data');
SELECT pgpool_pgctl('status', 'data');
SELECT pgpool_pgctl('stop; touch /tmp/x', 'fast');

-- Is it ready? This server, with each form of the question, and one that does not exist.
SELECT pgpool_pgctl('status', ''), pgpool_pgctl('status', 'fast'),
       pgpool_pgctl('status', current_setting('data_directory')) AS by_directory,
       pgpool_pgctl('status', '/nonexistent') AS nonexistent;

-- reload works without pgpool.pg_ctl.
SELECT pgpool_pgctl('reload', '');
SELECT pgpool_pgctl('logrotate', '');

-- It is not known who has set it in a session.
SET pgpool.pg_ctl = '/bin/false';
SELECT pgpool_pgctl('reload', '');
RESET pgpool.pg_ctl;

DROP EXTENSION pgpool_recovery;
