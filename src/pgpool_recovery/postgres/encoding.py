"""Exchange text with the server as the database's own bytes, neither converted nor checked.

A server takes everything for text in the database's encoding, even paths and settings, which are
bytes of the operating system. From a database in LATIN1 it would convert a path in UTF-8 into
another one, and from one in SQL_ASCII it would refuse to send a path with a Latin-1 byte. So the
client encoding is that of the database. Received bytes become text by `text_of`, and text becomes
bytes by `bytes_of`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pgpool_recovery.files.text import bytes_of, text_of

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq.abc import PGresult

TEXT_TYPES = ("text", "varchar", "bpchar", "name")
UNKNOWN_OID = 0
"""The OID under which psycopg looks up types that it does not know, such as pg_lsn."""
LOST = "\N{REPLACEMENT CHARACTER}"


def keep_bytes(connection: "psycopg.Connection[dict[str, Any]]") -> None:
    """Make a new session exchange the database's own bytes.

    It was opened with client_encoding UTF8, so in most databases nothing must be set.
    """
    import psycopg
    from psycopg.types.string import StrDumper, StrDumperUnknown, TextLoader

    class Loader(TextLoader):
        def load(self, data: "psycopg.abc.Buffer") -> str:
            return text_of(bytes(data))

    class Dumper(StrDumperUnknown):
        def dump(self, obj: str) -> bytes:
            return _storable(obj)

    class TypedDumper(StrDumper):
        def dump(self, obj: str) -> bytes:
            return _storable(obj)

    encoding = connection.pgconn.parameter_status(b"server_encoding") or b""
    if encoding not in (b"", connection.pgconn.parameter_status(b"client_encoding")):
        connection.execute(b"SET client_encoding TO " + encoding)
        try:
            _ = connection.info.encoding
        except psycopg.NotSupportedError:  # Python has no codec for it, and we need none.
            connection.pgconn.exec_(b"SET client_encoding TO SQL_ASCII")
    for kind in (*TEXT_TYPES, UNKNOWN_OID):
        connection.adapters.register_loader(kind, Loader)
    for dumper in (TypedDumper, Dumper):  # The last one is for values without a type.
        connection.adapters.register_dumper(str, dumper)


def _storable(text: str) -> bytes:
    from psycopg import DataError

    if "\0" in text:
        raise DataError("text in PostgreSQL cannot contain NUL")
    return bytes_of(text)


def text_of_error(error: "psycopg.Error") -> str:
    """Return the whole message of an error, with the bytes that psycopg cannot decode."""
    text = str(error)
    if LOST not in text or error.pgresult is None:
        return text
    severity = f"{error.diag.severity}:  "
    return text_of(error.pgresult.error_message).removeprefix(severity)


def words_of(error: "psycopg.Error", field: str) -> str | None:
    """Return a field of a server's error, such as "message_detail".

    Bytes that psycopg cannot decode are kept: a server quotes paths, and in SQL_ASCII any bytes.
    """
    from psycopg.pq import DiagnosticField

    text: str | None = getattr(error.diag, field)
    if text is None or LOST not in text or error.pgresult is None:
        return text
    return text_of(error.pgresult.error_field(DiagnosticField[field.upper()]) or b"")


@contextmanager
def hearing_notices(
    connection: "psycopg.Connection[Any]", on_notice: Callable[[str], None]
) -> Iterator[None]:
    """Pass each notice of the server to `on_notice` while the context lasts."""
    from psycopg.pq import DiagnosticField

    def tell(notice: "PGresult") -> None:
        on_notice(text_of(notice.error_field(DiagnosticField.MESSAGE_PRIMARY) or b""))

    before = connection.pgconn.notice_handler
    connection.pgconn.notice_handler = tell
    try:
        yield
    finally:
        connection.pgconn.notice_handler = before
