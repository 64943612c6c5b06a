DECLARE
    invoker name := CASE current_setting('role')
        WHEN 'none' THEN session_user ELSE current_setting('role') END;
    stack text;
    patience interval;
    deadline timestamptz;
    lsn pg_lsn;
    segment text;
    is_archived boolean;
    suffix text;
    path text;
    size bigint;
    archiver record;
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'recovery is in progress' USING
            ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = 'pgpool_switch_xlog() runs on the primary, and this server is a standby.',
            HINT = 'Connect to the primary.';
    END IF;
    -- The session's role is not the caller when another function calls this one, since that may have
    -- the rights of its owner. Then the context has more lines than that of this function. It is not
    -- the caller either when the server evaluates the expression of an index or a view as its owner.
    -- UNLISTEN, which otherwise does nothing, is not allowed there.
    GET DIAGNOSTICS stack = PG_CONTEXT;
    IF strpos(stack, chr(10)) > 0 THEN
        RAISE EXCEPTION 'permission denied for function pg_switch_wal' USING
            ERRCODE = 'insufficient_privilege',
            DETAIL = 'A function or DO block calls pgpool_switch_xlog(), so it is not known whose '
                'privileges count.',
            HINT = 'Call it directly, with SELECT pgpool_switch_xlog(...).';
    END IF;
    UNLISTEN _pgpool_recovery;
    IF NOT has_function_privilege(invoker, 'pg_catalog.pg_switch_wal()', 'EXECUTE') THEN
        RAISE EXCEPTION 'permission denied for function pg_switch_wal' USING
            ERRCODE = 'insufficient_privilege',
            DETAIL = 'pgpool_switch_xlog() needs that privilege too.',
            HINT = format('GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO %I.', invoker);
    END IF;
    BEGIN
        patience := coalesce(nullif(current_setting('pgpool.switch_xlog_timeout', true), ''), '300');
    EXCEPTION WHEN invalid_datetime_format OR datetime_field_overflow THEN
        RAISE EXCEPTION 'invalid value for parameter "pgpool.switch_xlog_timeout": "%"',
            current_setting('pgpool.switch_xlog_timeout') USING
            ERRCODE = 'invalid_parameter_value',
            HINT = 'Give seconds, or a number and a unit such as 5min.';
    END;

    -- Raise an error before WAL is switched if the server cannot access that directory. The reason is
    -- only for roles that may read the server's files.
    BEGIN
        PERFORM pg_catalog.pg_stat_file(archive_dir);
        PERFORM pg_catalog.pg_stat_file(pg_catalog.concat(archive_dir, '/pgpool_switch_xlog'), true);
    EXCEPTION WHEN OTHERS THEN
        IF NOT pg_catalog.pg_has_role(invoker, 'pg_read_server_files', 'USAGE') THEN
            RAISE EXCEPTION 'cannot wait for WAL in "%"', archive_dir USING
                ERRCODE = 'invalid_parameter_value',
                DETAIL = 'It is not a directory that this server can access.',
                HINT = 'Check the path on the host of the server; superusers and members of '
                    'pg_read_server_files are told more.';
        END IF;
        RAISE;
    END;

    lsn := pg_switch_wal();
    IF (lsn - '0/0') % pg_size_bytes(current_setting('wal_segment_size')) = 0 THEN
        -- Nothing was written since the last switch. That segment may have been removed from the
        -- archive directory, so write something and wait for a segment that is about to arrive.
        PERFORM pg_create_restore_point('pgpool_switch_xlog');
        lsn := pg_switch_wal();
    END IF;
    -- The position is just after the switched segment: step back into it, since PostgreSQL 17 and its
    -- predecessors disagree on the file name at a boundary.
    segment := pg_walfile_name(lsn - 1);

    -- The time limit that every session begins with is not meant for this wait (session.py).
    PERFORM set_config(name, '0', true) FROM pg_settings
      WHERE name = 'transaction_timeout' AND setting <> '0' AND source NOT IN ('session', 'client');
    deadline := clock_timestamp() + patience;
    LOOP
        is_archived := current_setting('archive_mode') <> 'off'
            AND pg_stat_file('pg_wal/archive_status/' || segment || '.ready', true) IS NULL;
        FOREACH suffix IN ARRAY ARRAY['', '.gz', '.zst', '.lz4', '.bz2', '.xz']
        LOOP
            -- Compressed or not, it is complete if the server says so, or judging by its size.
            path := archive_dir || '/' || segment || suffix;
            size := (pg_stat_file(path, true)).size;
            IF size > 0 AND (
                is_archived
                OR suffix = '' AND size = pg_size_bytes(current_setting('wal_segment_size'))
                OR suffix <> '' AND current_setting('archive_mode') = 'off'
            ) THEN
                RETURN path;
            END IF;
        END LOOP;
        EXIT WHEN clock_timestamp() >= deadline;
        PERFORM pg_sleep(0.1);
    END LOOP;

    SELECT * INTO archiver FROM pg_stat_archiver;
    RAISE EXCEPTION 'WAL segment % was not archived in "%" within % s',
        segment, archive_dir, extract(epoch FROM patience)::int USING
        ERRCODE = 'object_not_in_prerequisite_state',
        DETAIL = format(
            'archive_mode is %s. The last archived WAL file is %s at %s, the last that failed %s at %s; '
            '%s failures.', current_setting('archive_mode'),
            coalesce(archiver.last_archived_wal, 'none'), coalesce(archiver.last_archived_time::text, '-'),
            coalesce(archiver.last_failed_wal, 'none'), coalesce(archiver.last_failed_time::text, '-'),
            archiver.failed_count),
        HINT = 'Check archive_command and the server log. '
            'The setting pgpool.switch_xlog_timeout limits the wait.';
END
