-- Why a reload has not applied the configuration files.
select pg_catalog.format('%%s line %%s: %%s', sourcefile, sourceline, error) as said
  from pg_catalog.pg_file_settings where error is not null
