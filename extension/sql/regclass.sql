-- The argument is usually a literal, which PostgreSQL takes as text if it can. Names are looked up in
-- the caller's search path, so this function does not set its own.
{{ create }} FUNCTION pg_catalog.pgpool_regclass(expression pg_catalog.text) RETURNS pg_catalog.oid
LANGUAGE plpgsql VOLATILE STRICT
AS $$
BEGIN
    -- From PostgreSQL 16 on, to_regclass() takes digits as an OID.
    RETURN coalesce(pg_catalog.to_regclass(CASE
        WHEN expression OPERATOR(pg_catalog.~) '^[0-9]+$' THEN pg_catalog.quote_ident(expression)
        ELSE expression END)::pg_catalog.oid, 0);
EXCEPTION
    -- Not a name at all, or one of another database.
    WHEN invalid_name OR syntax_error OR feature_not_supported THEN RETURN 0;
END
$$;

-- Only functions in C or internal ones can take a cstring. Pgpool-II checks the privilege on the
-- function with this signature as soon as there is a function of this name, and dependent objects refer
-- to it. Called with a cstring, which a literal does not become, it raises an error for a relation that
-- does not exist.
{{ create }} FUNCTION pg_catalog.pgpool_regclass(expression pg_catalog.cstring)
RETURNS pg_catalog.oid
LANGUAGE internal VOLATILE STRICT
AS 'regclassin';

COMMENT ON FUNCTION pg_catalog.pgpool_regclass(pg_catalog.text)
    IS 'OID of the relation with that name, or 0 if there is none';
COMMENT ON FUNCTION pg_catalog.pgpool_regclass(pg_catalog.cstring)
    IS 'OID of the relation with that name';
