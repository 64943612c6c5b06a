-- A private, untrusted language over PL/Python's library: it works whether or not plpython3u was
-- created in this database, and without CASCADE.
DO $$
DECLARE
    major text := current_setting('server_version_num')::int / 10000;
BEGIN
    CREATE FUNCTION @extschema@._{{ extension }}_call_handler() RETURNS language_handler
        LANGUAGE c AS '$libdir/plpython3', 'plpython3_call_handler';
EXCEPTION WHEN OTHERS THEN
    RAISE EXCEPTION USING
        ERRCODE = SQLSTATE,
        MESSAGE = '{{ extension }} needs PL/Python, which this server cannot load',
        DETAIL = SQLERRM,
        HINT = format('Install the package postgresql-plpython3-%1$s (Debian, Ubuntu) or '
                      'postgresql%1$s-plpython3 (Enterprise Linux).', major);
END
$$;

CREATE FUNCTION _{{ extension }}_inline_handler(internal) RETURNS void
    STRICT LANGUAGE c AS '$libdir/plpython3', 'plpython3_inline_handler';

CREATE FUNCTION _{{ extension }}_validator(oid) RETURNS void
    STRICT LANGUAGE c AS '$libdir/plpython3', 'plpython3_validator';

CREATE LANGUAGE {{ extension }}_python
    HANDLER @extschema@._{{ extension }}_call_handler
    INLINE @extschema@._{{ extension }}_inline_handler
    VALIDATOR @extschema@._{{ extension }}_validator;

COMMENT ON LANGUAGE {{ extension }}_python IS 'PL/Python as {{ extension }} uses it';
