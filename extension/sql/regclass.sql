-- The name is a literal as a rule, which PostgreSQL takes for text when it can.
{{ create }} FUNCTION pg_catalog.pgpool_regclass(expression text) RETURNS oid
LANGUAGE plpgsql VOLATILE STRICT
AS $$
BEGIN
    -- From PostgreSQL 16 on, to_regclass() takes digits for an OID.
    RETURN coalesce(pg_catalog.to_regclass(CASE
        WHEN $1 OPERATOR(pg_catalog.~) '^[0-9]+$' THEN pg_catalog.quote_ident($1) ELSE $1 END
    )::pg_catalog.oid, 0);
EXCEPTION
    -- Not a name at all, or one of another database.
    WHEN invalid_name OR syntax_error OR feature_not_supported THEN RETURN 0;
END
$$;

-- No language but C takes an argument of the type cstring. Pgpool-II asks for the privilege on the
-- function with this signature as soon as there is one with this name, and dependent objects have
-- it; called with a cstring, which a literal does not become, it raises an error for what does not
-- exist.
{{ create }} FUNCTION pg_catalog.pgpool_regclass(expression cstring) RETURNS oid
LANGUAGE internal VOLATILE STRICT
AS 'regclassin';

COMMENT ON FUNCTION pg_catalog.pgpool_regclass(text)
    IS 'OID of the relation with that name, and 0 for none';
COMMENT ON FUNCTION pg_catalog.pgpool_regclass(cstring)
    IS 'OID of the relation with that name';

-- Whoever may call one of them may call the other, too; after an update, the grants are here.
UPDATE pg_catalog.pg_proc AS p
   SET proacl = (SELECT s.proacl FROM pg_catalog.pg_proc AS s
                  WHERE s.oid = 'pg_catalog.pgpool_regclass(cstring)'::pg_catalog.regprocedure)
 WHERE p.oid = 'pg_catalog.pgpool_regclass(text)'::pg_catalog.regprocedure;
