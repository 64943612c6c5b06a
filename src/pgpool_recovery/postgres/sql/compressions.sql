-- The compression methods that the server has for base backups, the fastest first.
select kind.name
  from pg_catalog.unnest(array['lz4', 'zstd']) with ordinality as kind(name, place),
       pg_catalog.pg_config as built
 where built.name = 'CONFIGURE'
   and position('--with-' || kind.name in built.setting) > 0
 order by kind.place
