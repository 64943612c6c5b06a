select system_identifier::pg_catalog.text as system_identifier from pg_catalog.pg_control_system()
