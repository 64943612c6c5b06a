"""Text in a session of ours is the database's own bytes, which nobody converts or checks.

A server takes all that it has for text of the database's encoding, paths and settings as well,
which are bytes of the operating system. It would turn a path in UTF-8 into another one on its way
from a database in LATIN1, and let none with a Latin-1 byte out of one in SQL_ASCII. So the encoding
of the client is that of the database; what comes is `text_of` its bytes, and what goes `bytes_of`
its text.
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
"""What psycopg has for types that nobody has told it, such as pg_lsn."""
LOST = "\N{REPLACEMENT CHARACTER}"


def keep_bytes(connection: "psycopg.Connection[dict[str, Any]]") -> None:
    """Let a new session give and take the database's own bytes.

    It was opened with UTF8 as the client's encoding, so in most databases nothing has to be said.
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
        except psycopg.NotSupportedError:  # Python has no codec for it, and needs none from us.
            connection.pgconn.exec_(b"SET client_encoding TO SQL_ASCII")
    for kind in (*TEXT_TYPES, UNKNOWN_OID):
        connection.adapters.register_loader(kind, Loader)
    for dumper in (TypedDumper, Dumper):  # The last one is for values of which nothing is said.
        connection.adapters.register_dumper(str, dumper)


def _storable(text: str) -> bytes:
    from psycopg import DataError

    if "\0" in text:
        raise DataError("text of PostgreSQL cannot have NUL in it")
    return bytes_of(text)


def text_of_error(error: "psycopg.Error") -> str:
    """Return what an error says as a whole, likewise."""
    text = str(error)
    if LOST not in text or error.pgresult is None:
        return text
    severity = f"{error.diag.severity}:  "
    return text_of(error.pgresult.error_message).removeprefix(severity)


def words_of(error: "psycopg.Error", field: str) -> str | None:
    """Return what a server says of an error, such as its "message_detail".

    What psycopg cannot decode is taken as it is: a server quotes paths, and in SQL_ASCII anything.
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
    """Tell each notice of the server while the context lasts."""
    from psycopg.pq import DiagnosticField

    def tell(notice: "PGresult") -> None:
        on_notice(text_of(notice.error_field(DiagnosticField.MESSAGE_PRIMARY) or b""))

    before = connection.pgconn.notice_handler
    connection.pgconn.notice_handler = tell
    try:
        yield
    finally:
        connection.pgconn.notice_handler = before
