"""Use the OpenSSH client, with the DBA's own configuration, keys and known hosts."""
