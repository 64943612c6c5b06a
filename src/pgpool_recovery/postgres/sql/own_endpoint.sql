-- The server's port, and whether any pg_hba.conf line asks for a password in clear text.
select pg_catalog.current_setting('port')::pg_catalog.int4 as port,
       exists (select from pg_catalog.pg_hba_file_rules
                where auth_method operator(pg_catalog.=) any (
                    array['password', 'ldap', 'pam', 'radius', 'bsd'])) as asks_clear_text
