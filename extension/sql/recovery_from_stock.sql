-- CREATE OR REPLACE below keeps the functions' grants and everything that depends on them, but refuses
-- to rename arguments, and their names differ between the stock releases.
UPDATE pg_catalog.pg_proc AS f
   SET proargnames = CASE
       WHEN f.proname OPERATOR(pg_catalog.=) 'pgpool_recovery' THEN
           (ARRAY['script_name', 'remote_host', 'remote_data_directory', 'primary_port',
                  'remote_node', 'remote_port', 'primary_host'])[1:f.pronargs]
       WHEN f.proname OPERATOR(pg_catalog.=) 'pgpool_remote_start' THEN
           ARRAY['remote_host', 'remote_data_directory']
       WHEN f.proname OPERATOR(pg_catalog.=) 'pgpool_pgctl' THEN ARRAY['action', 'stop_mode']
       WHEN f.proname OPERATOR(pg_catalog.=) 'pgpool_switch_xlog' THEN ARRAY['archive_dir']
       END
 WHERE f.oid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT p.oid FROM {{ include members.sql }}));
