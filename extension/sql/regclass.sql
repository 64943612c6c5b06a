-- The name is a literal as a rule, which PostgreSQL takes for text when it can. The names that it is
-- asked for are looked for where the caller's are, so this function has no search path of its own.
{{ create }} FUNCTION pg_catalog.pgpool_regclass(expression pg_catalog.text) RETURNS pg_catalog.oid
LANGUAGE plpgsql VOLATILE STRICT
AS $$
BEGIN
    -- From PostgreSQL 16 on, to_regclass() takes digits for an OID.
    RETURN coalesce(pg_catalog.to_regclass(CASE
        WHEN expression OPERATOR(pg_catalog.~) '^[0-9]+$' THEN pg_catalog.quote_ident(expression)
        ELSE expression END)::pg_catalog.oid, 0);
EXCEPTION
    -- Not a name at all, or one of another database.
    WHEN invalid_name OR syntax_error OR feature_not_supported THEN RETURN 0;
END
$$;

-- No language but C takes an argument of the type cstring. Pgpool-II asks for the privilege on the
-- function with this signature as soon as there is one with this name, and dependent objects have
-- it; called with a cstring, which a literal does not become, it raises an error for what does not
-- exist.
{{ create }} FUNCTION pg_catalog.pgpool_regclass(expression pg_catalog.cstring)
RETURNS pg_catalog.oid
LANGUAGE internal VOLATILE STRICT
AS 'regclassin';

COMMENT ON FUNCTION pg_catalog.pgpool_regclass(pg_catalog.text)
    IS 'OID of the relation with that name, and 0 for none';
COMMENT ON FUNCTION pg_catalog.pgpool_regclass(pg_catalog.cstring)
    IS 'OID of the relation with that name';
