-- Where the server listens, and whether it asks anybody for a password in clear text (pg_hba.conf).
select pg_catalog.current_setting('port')::pg_catalog.int4 as port,
       exists (select from pg_catalog.pg_hba_file_rules
                where auth_method operator(pg_catalog.=) any (
                    array['password', 'ldap', 'pam', 'radius', 'bsd'])) as asks_clear_text
