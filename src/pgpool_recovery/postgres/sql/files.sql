-- Where the files of this server are, and how they are made.
select pg_catalog.current_setting('data_directory') as data_directory,
       pg_catalog.current_setting('server_version_num')::int as version,
       s.system_identifier::pg_catalog.text as system_identifier,
       s.catalog_version_no as catalog_version,
       i.database_block_size as block_bytes,
       i.blocks_per_segment as segment_blocks,
       i.data_page_checksum_version > 0 as has_checksums,
       (select timeline_id from pg_catalog.pg_control_checkpoint()) as timeline
  from pg_catalog.pg_control_system() as s, pg_catalog.pg_control_init() as i
