"""Text is the database's own bytes, whatever its encoding: paths, arguments, names, notices."""

from collections.abc import Iterator

import psycopg
import pytest

from pgpool_recovery.domain.error import NoSession, Unreachable
from pgpool_recovery.files.text import bytes_of, text_of
from pgpool_recovery.postgres.connection import connect, open_replication
from pgpool_recovery.postgres.conninfo import parse_conninfo
from tests.harness.postgresql import Server

LATIN = b"d\xe4t\xe4"
LATIN_ROLE = b"r\xf4le"
PASSWORD = b"s\xe9cret\xa0"
ENCODINGS = ("UTF8", "LATIN1", "SQL_ASCII", "EUC_JP", "EUC_TW")
in_each_encoding = pytest.mark.parametrize("encoding", ENCODINGS)
SCRIPT = """#!/bin/sh
printf '%s\\n' "$@" > {output}
"""
ROLE = b"CREATE ROLE \"%s\" LOGIN SUPERUSER PASSWORD '%s'"
TABLESPACE = b"CREATE TABLESPACE \"%s\" LOCATION '%s'"


def raw(server: Server, database: str, *commands: bytes) -> None:
    """Send commands as unchanged bytes, in the encoding of the database."""
    with psycopg.connect(server.conninfo_from_here(dbname=database), autocommit=True) as session:
        encoding = session.pgconn.parameter_status(b"server_encoding") or b""
        session.pgconn.exec_(b"SET client_encoding TO " + encoding)
        for command in commands:
            result = session.pgconn.exec_(command)
            assert not result.error_message, result.error_message


@pytest.fixture(scope="module")
def foreign(server: Server) -> Iterator[Server]:
    """A server with a tablespace and a role of Latin-1 names, and a database of each encoding."""
    place = server.data_directory.parent / text_of(LATIN)
    server.machine.make_directory(place)
    for encoding in ENCODINGS[1:]:
        name = database_of(encoding)
        server.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'"
        )
        server.execute("CREATE EXTENSION pgpool_recovery", database=name)
    made = (ROLE % (LATIN_ROLE, PASSWORD), TABLESPACE % (LATIN, bytes(place)))
    raw(server, "in_sql_ascii", *made)
    script = server.data_directory / "tell"
    server.machine.write_file(script, SCRIPT.format(output=server.data_directory / "told"))
    server.machine.path(script).chmod(0o700)
    yield server
    raw(server, "in_sql_ascii", b'DROP TABLESPACE "%s"' % LATIN, b'DROP ROLE "%s"' % LATIN_ROLE)


def database_of(encoding: str) -> str:
    return "postgres" if encoding == "UTF8" else f"in_{encoding.lower()}"


def login(server: Server, encoding: str) -> dict[str, str]:
    return parse_conninfo(server.conninfo_from_here(dbname=database_of(encoding)))


@in_each_encoding
def test_path_of_a_tablespace_is_its_bytes(foreign: Server, encoding: str) -> None:
    with connect(login(foreign, encoding)) as connection:
        (row,) = connection.rows("tablespaces", measures=True)
    assert bytes_of(row["location"]).endswith(b"/" + LATIN)


def test_base_backup_names_a_tablespace_by_its_bytes(foreign: Server) -> None:
    """The path arrives as it is in the catalog.

    A walsender has no database, and with a client encoding it would validate what it sends.
    """
    pgconn = open_replication(login(foreign, "UTF8"), within_s=20, check=lambda: None)
    try:
        pgconn.send_query(b"BASE_BACKUP (CHECKPOINT 'fast', MANIFEST 'no')")
        _begin, places = pgconn.get_result(), pgconn.get_result()
        assert places is not None
        assert (places.get_value(0, 1) or b"").endswith(b"/" + LATIN), places.error_message
    finally:
        pgconn.finish()


@in_each_encoding
def test_role_of_any_name_logs_in(foreign: Server, encoding: str) -> None:
    own = {"user": text_of(LATIN_ROLE), "password": text_of(PASSWORD)}
    with connect({**login(foreign, encoding), **own}) as connection:
        assert connection.row("timeline")
    nobody = {**login(foreign, encoding), "user": text_of(b"n\xf4body")}
    with pytest.raises(NoSession, match="could not connect"), connect(nobody):
        pass


@in_each_encoding
def test_notices_and_errors_are_understood(foreign: Server, encoding: str) -> None:
    """An error can be read even if it has a path that is not valid text of the database.

    The bytes of such a path are then shown as escapes.
    """
    with connect(login(foreign, encoding)) as connection, pytest.raises(Unreachable) as caught:
        connection.do(
            "DO $$ DECLARE place text; BEGIN"
            " SELECT pg_tablespace_location(oid) INTO place FROM pg_tablespace"
            " WHERE spcname NOT LIKE 'pg\\_%';"
            " RAISE 'not in % any more', place; END $$"
        )
    assert not isinstance(caught.value, NoSession), "the session was established"
    shown = "dätä" if encoding == "LATIN1" else r"d\xe4t\xe4"
    assert f"{shown} any more" in str(caught.value.detail)


@in_each_encoding
@pytest.mark.parametrize("word", [b"/d\xc3\xa4t\xc3\xa4", b"/" + LATIN, b"/a\\b\\\\c '$x"])
def test_argument_of_a_script_is_the_bytes_of_the_database(
    foreign: Server, encoding: str, word: bytes
) -> None:
    if LATIN in word and encoding not in ("LATIN1", "SQL_ASCII"):
        word = b"/data"  # The server rejects such text in these encodings.
    told = foreign.machine.path(foreign.data_directory / "told")
    call = b"SELECT pgpool_recovery('tell', 'host', E'%s', '0')"
    quoted = word.replace(b"\\", b"\\\\").replace(b"'", b"\\'")
    raw(foreign, database_of(encoding), call % quoted)
    assert told.read_bytes().split(b"\n")[1:3] == [b"host", word]
