-- The outcome of a call: PL/Python returns it as a row and PL/pgSQL raises it, so an expected failure
-- shows neither a "plpy.Error:" prefix nor a Python traceback.
CREATE TYPE @extschema@._{{ extension }}_outcome AS (
    result boolean,
    sqlstate pg_catalog.text,
    message pg_catalog.text,
    detail pg_catalog.text,
    hint pg_catalog.text,
    document pg_catalog.text
);

CREATE FUNCTION @extschema@._{{ extension }}_finish(outcome @extschema@._{{ extension }}_outcome)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF outcome.sqlstate IS NULL THEN
        RETURN outcome.result;
    END IF;
    IF outcome.hint IS NOT NULL AND outcome.detail IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = outcome.sqlstate,
            MESSAGE = outcome.message,
            DETAIL = outcome.detail,
            HINT = outcome.hint;
    ELSIF outcome.hint IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = outcome.sqlstate,
            MESSAGE = outcome.message,
            HINT = outcome.hint;
    ELSIF outcome.detail IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = outcome.sqlstate,
            MESSAGE = outcome.message,
            DETAIL = outcome.detail;
    ELSE
        RAISE EXCEPTION USING
            ERRCODE = outcome.sqlstate,
            MESSAGE = outcome.message;
    END IF;
END
$$;
