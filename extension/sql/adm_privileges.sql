-- Every function for users calls these with the rights of its caller.
GRANT EXECUTE ON FUNCTION
    @extschema@._pgpool_adm_call(pg_catalog.text, pg_catalog.text[]),
    @extschema@._pgpool_adm_want_mapping(pg_catalog.text),
    @extschema@._pgpool_adm_read_mapping(),
    @extschema@._pgpool_adm_answer(@extschema@._pgpool_adm_outcome),
    @extschema@._pgpool_adm_finish(@extschema@._pgpool_adm_outcome)
TO PUBLIC;
