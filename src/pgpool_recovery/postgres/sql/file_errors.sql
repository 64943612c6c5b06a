-- Why a reload has not taken over the configuration files.
select format('%%s line %%s: %%s', sourcefile, sourceline, error) as said
  from pg_file_settings where error is not null
