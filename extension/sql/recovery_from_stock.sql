-- CREATE OR REPLACE below keeps the functions' grants and all that depends on them, but it refuses
-- to rename arguments, and their names differ between the stock releases.
UPDATE pg_catalog.pg_proc AS p
   SET proargnames = CASE p.proname
       WHEN 'pgpool_recovery' THEN
           (ARRAY['script_name', 'remote_host', 'remote_data_directory', 'primary_port',
                  'remote_node', 'remote_port', 'primary_host'])[1:p.pronargs]
       WHEN 'pgpool_remote_start' THEN ARRAY['remote_host', 'remote_data_directory']
       WHEN 'pgpool_pgctl' THEN ARRAY['action', 'stop_mode']
       WHEN 'pgpool_switch_xlog' THEN ARRAY['archive_dir']
       END
  FROM pg_catalog.pg_depend AS d, pg_catalog.pg_extension AS e
 WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
   AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid
   AND d.deptype = 'e' AND e.extname = 'pgpool_recovery';
