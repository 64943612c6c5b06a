-- A private, untrusted language that uses PL/Python's library: it works whether or not plpython3u
-- exists in this database, and without CASCADE.
DO $$
DECLARE
    major CONSTANT pg_catalog.text := pg_catalog.current_setting('server_version_num')::integer
        OPERATOR(pg_catalog./) 10000;
    message pg_catalog.text;
    detail pg_catalog.text;
BEGIN
    CREATE FUNCTION @extschema@._{{ extension }}_call_handler() RETURNS pg_catalog.language_handler
        LANGUAGE c AS '$libdir/plpython3', 'plpython3_call_handler';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    -- Only errors of the library name it: missing, not readable or loadable, of another major.
    IF pg_catalog.strpos(message, 'plpython3') OPERATOR(pg_catalog.=) 0 THEN
        RAISE;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = SQLSTATE,
        MESSAGE = '{{ extension }} needs PL/Python, which this server cannot load',
        DETAIL = pg_catalog.concat_ws(E'\n', message, CASE WHEN detail OPERATOR(pg_catalog.<>) ''
                                      THEN detail END),
        HINT = pg_catalog.format(
            'Install the package postgresql-plpython3-%1$s (Debian, Ubuntu) or '
            'postgresql%1$s-plpython3 (Enterprise Linux).', major);
END
$$;

CREATE FUNCTION @extschema@._{{ extension }}_inline_handler(pg_catalog.internal)
    RETURNS pg_catalog.void
    STRICT LANGUAGE c AS '$libdir/plpython3', 'plpython3_inline_handler';

CREATE FUNCTION @extschema@._{{ extension }}_validator(pg_catalog.oid)
    RETURNS pg_catalog.void
    STRICT LANGUAGE c AS '$libdir/plpython3', 'plpython3_validator';

CREATE LANGUAGE {{ extension }}_python
    HANDLER @extschema@._{{ extension }}_call_handler
    INLINE @extschema@._{{ extension }}_inline_handler
    VALIDATOR @extschema@._{{ extension }}_validator;

COMMENT ON LANGUAGE {{ extension }}_python IS 'PL/Python as {{ extension }} uses it';
