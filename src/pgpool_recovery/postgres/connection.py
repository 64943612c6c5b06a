"""Connections to PostgreSQL, all of them; psycopg is imported when the first one is opened.

Nothing else opens one (ci/rules/connection_home.py), so each has the settings of session.py.
"""

import select
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pgpool_recovery.domain.error import (
    NoSession,
    QueryRefused,
    RecoveryError,
    Unreachable,
    error_of_sqlstate,
)
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.files.ahead import import_ahead
from pgpool_recovery.files.text import bytes_of, lines_of, read_text, text_of
from pgpool_recovery.log.note import AnySpan, span
from pgpool_recovery.postgres.conninfo import format_conninfo
from pgpool_recovery.postgres.denied import INSUFFICIENT_PRIVILEGE, denied
from pgpool_recovery.postgres.encoding import hearing_notices, keep_bytes, text_of_error, words_of
from pgpool_recovery.postgres.extension import InstalledExtension, read_extension
from pgpool_recovery.postgres.session import (
    NO_TRANSACTION_TIMEOUT,
    PINNED_FOR_SUPERUSERS,
    PINNED_LATER,
    TRANSACTION_TIMEOUT_SINCE,
    milliseconds,
    startup_options,
)

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq.abc import PGconn
    from psycopg.rows import RowFactory

APPLICATION_NAME = "pgpool-recovery"
QUERIES = Path(__file__).with_name("sql")
PHYSICAL_REPLICATION = {"replication": "true", "dbname": "replication"}
"""The database is a name for the password file alone, as in libpqrcv_connect()."""
UNCHECKED = {"client_encoding": "SQL_ASCII"}
"""A walsender without a database knows text in no encoding, and would refuse a path for UTF-8."""
THE_PRIMARY = "the primary"
EXTENSION = "{extension}"
"""In a query, the schema of our extension."""
TICK_MS = 200
DEFAULT_CONNECT_S = 10.0
T = TypeVar("T")
FINAL = ("0A", "22", "25", "28", "3D", "3F", "42", "55000")
"""SQLSTATEs, or their classes, that another try does not change: no privilege, no such thing, none
of what this server can do. A connection, a lock, a full disk or a crash is another matter."""


class Connection:
    """A connection to a server in autocommit mode: each query is its own transaction."""

    def __init__(self, connection: "psycopg.Connection[dict[str, Any]]", name: str) -> None:
        self._connection = connection
        self._name = name
        self._schema: str | None = None

    def extension(self) -> InstalledExtension | None:
        """Return what this database's extension is and has; None where there is none.

        From then on the queries about its tables and functions are possible: they name its schema,
        for on the search path is none. Not where it has a foreign owner: he can put another schema
        into the place of that one between two of our queries.
        """
        found = self.rows("extension")
        if not found:
            return None
        extension = read_extension(found[0])
        self._schema = extension.schema if extension.foreign is None else None
        return extension

    @property
    def backend_pid(self) -> int:
        """The process of the server."""
        return self._connection.info.backend_pid

    def rows(self, query: str, /, **parameters: object) -> list[dict[str, Any]]:
        """Run ``sql/<query>.sql`` and return its rows; Unreachable when it fails."""
        import psycopg

        try:
            with self._asking(query) as asking:
                found = self._connection.execute(self._text(query), parameters).fetchall()
                asking.came_to(f"{len(found)} rows")
                return found
        except psycopg.Error as error:
            if refusal := self._refusal(query, error):
                raise refusal from error
            raise _failed(f'query "{query}" failed on {self._name}', error) from error

    def do(self, command: str) -> None:
        """Run a command that returns no rows."""
        import psycopg

        try:
            with self._asking(command.partition(" ")[0]):
                self._connection.execute(command.encode())
        except psycopg.Error as error:
            raise _failed(f"{command} failed on {self._name}", error) from error

    def row(self, query: str, /, **parameters: object) -> dict[str, Any]:
        """Run a query that returns exactly one row."""
        (row,) = self.rows(query, **parameters)
        return row

    def call(
        self, query: str, /, on_notice: Callable[[str], None], **parameters: object
    ) -> list[dict[str, Any]]:
        """Run a query whose failure is the answer; each notice of the server is told meanwhile.

        Raises the failure that its SQLSTATE stands for, with the server's message, detail and hint;
        Unreachable when the connection was lost.
        """
        import psycopg

        try:
            with self._asking(query), hearing_notices(self._connection, on_notice):
                return self._connection.execute(self._text(query), parameters).fetchall()
        except psycopg.Error as error:
            raise self._refusal(query, error) or _answer(error, self._name) from error

    def _asking(self, what: str) -> AnySpan:
        """Log a query by its name: its values, and what it answers, are in the facts."""
        return span("query {} on {}", what, self._name, is_brief=True)

    def _refusal(self, query: str, error: "psycopg.Error") -> RecoveryError | None:
        """Return what a role without privileges is told; None where that is not the failure.

        A function that was called and failed by itself has a context.
        """
        said = error.diag
        if error.sqlstate != INSUFFICIENT_PRIVILEGE or said.context or self._schema is None:
            return None
        schema, role = _identifier(self._schema).replace("%%", "%"), self._connection.info.user
        return denied(
            _query(query), role, self._name, schema, words_of(error, "message_primary") or ""
        )

    def _text(self, query: str) -> bytes:
        text = _query(query)
        if EXTENSION in text:
            if self._schema is None:
                raise LookupError(f'query "{query}", and extension() has found no schema for it')
            text = text.replace(EXTENSION, _identifier(self._schema))
        return text.encode()


def load() -> None:
    """Load psycopg meanwhile, where a connection will be needed after a wait for something else.

    It takes a tenth of a second. Whoever needs it earlier waits for the rest.
    """
    import_ahead(["psycopg"])


@contextmanager
def connect(
    conninfo: Mapping[str, str],
    *,
    timeout_s: float = 10,
    answer_s: float | None = None,
    name: str = THE_PRIMARY,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Connection]:
    """Open a connection to a server; what `conninfo` leaves out comes from the environment.

    No query takes longer than `answer_s`. `settings` are the session's own, beside those that every
    session of ours has. `name` is what failures call the server. Raises NoSession with its own or
    libpq's words, Unreachable when the session was lost at once.
    """
    own = {} if answer_s is None else {"statement_timeout": milliseconds(answer_s)}
    own.update(settings or {})
    foreign = conninfo.get("options")
    values = {
        "connect_timeout": whole_seconds(timeout_s),
        "application_name": APPLICATION_NAME,
        **conninfo,
        "client_encoding": "UTF8",
    }
    with span("connects to {} as {}", name, conninfo, is_brief=True):
        try:
            connection = _open({**values, "options": startup_options(foreign, own)}, name)
        except _LostAtOnceError:
            own.update(NO_TRANSACTION_TIMEOUT)
            connection = _open({**values, "options": startup_options(foreign, own)}, name)
    with connection:
        yield Connection(connection, name)


class _LostAtOnceError(Unreachable):
    """A server that knows transaction_timeout took the session before that could be taken away.

    When it is a millisecond or two it may be over in the login, or before the first statement. Of
    a login there are only the server's words, which may be in another language.
    """


def _open(conninfo: Mapping[str, str], name: str) -> "psycopg.Connection[dict[str, Any]]":
    """Open a connection and set what cannot be said when it starts."""
    import psycopg
    from psycopg.rows import dict_row

    text = format_conninfo(conninfo)
    try:
        connection = _connected(text, conninfo, row_factory=dict_row)
    except psycopg.Error as error:
        refusal = _LostAtOnceError if "transaction timeout" in str(error) else NoSession
        raise refusal(f"could not connect to {name}", detail=_text(error)) from error
    knows_timeout = connection.info.server_version >= TRANSACTION_TIMEOUT_SINCE
    try:
        if knows_timeout:
            connection.execute("SET transaction_timeout = 0")
        later = dict(PINNED_LATER)
        if connection.info.parameter_status("is_superuser") == "on":
            later.update(PINNED_FOR_SUPERUSERS)
        keep_bytes(connection)
        pins = {"names": list(later), "values": list(later.values())}
        connection.execute(_query("pin").encode(), pins)
    except psycopg.Error as error:
        is_lost = connection.closed
        connection.close()
        failure = _LostAtOnceError if is_lost and knows_timeout else Unreachable
        raise failure(f"lost the connection to {name}", detail=_text(error)) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _connected(
    text: str, conninfo: Mapping[str, str], *, row_factory: "RowFactory[T]"
) -> "psycopg.Connection[T]":
    """Open a connection with a text that may have any bytes; psycopg takes UTF-8 alone."""
    import psycopg

    try:
        text.encode()
    except UnicodeEncodeError:
        from psycopg import pq

        # The server says at once as whom we are, in this encoding if it can.
        unchecked = format_conninfo({**conninfo, **UNCHECKED})
        pgconn = pq.PGconn.connect_start(bytes_of(unchecked))
        within_s = float(conninfo.get("connect_timeout") or DEFAULT_CONNECT_S)
        try:
            _await_connection(pgconn, within_s, lambda: None)
        except Unreachable as error:
            pgconn.finish()
            raise psycopg.OperationalError(error.detail or "") from None
        pgconn.nonblocking = 1
        connection = psycopg.Connection(pgconn, row_factory)
        connection.autocommit = True
        return connection
    return psycopg.connect(text, autocommit=True, row_factory=row_factory)


def pinned(conninfo: Mapping[str, str]) -> dict[str, str]:
    """Return a connection string for a program of PostgreSQL, with what our own sessions have."""
    return {**conninfo, "options": startup_options(conninfo.get("options"))}


def whole_seconds(seconds: float) -> str:
    """Return what connect_timeout takes: libpq knows whole seconds, and takes 1 for 2.

    >>> whole_seconds(0.5), whole_seconds(4.2)
    ('2', '5')
    """
    return str(max(2, ceil(seconds)))


def identify_system(conninfo: Mapping[str, str], *, timeout_s: float) -> str:
    """Return the system identifier to which a replication connection leads."""
    return _identify(conninfo, timeout_s, THE_PRIMARY)[0]


def identify_timeline(conninfo: Mapping[str, str], *, timeout_s: float, name: str) -> int:
    """Return the timeline that a server writes; of a standby the one that replay is on.

    Nothing else says that of a standby at once (GetStandbyFlushRecPtr in walsender.c); its control
    file follows when it likes.
    """
    return int(_identify(conninfo, timeout_s, name)[1])


def _identify(conninfo: Mapping[str, str], timeout_s: float, name: str) -> list[str]:
    """Return what IDENTIFY_SYSTEM answers; Unreachable when nobody gets in."""
    import psycopg
    from psycopg.rows import tuple_row

    values = {**_replication(conninfo), "connect_timeout": whole_seconds(timeout_s)}
    try:
        with _connected(format_conninfo(values), values, row_factory=tuple_row) as connection:
            row = connection.execute(b"IDENTIFY_SYSTEM").fetchone()
    except psycopg.Error as error:
        raise Unreachable(f"could not connect to {name}", detail=_text(error)) from error
    assert row is not None  # noqa: S101 - the command answers with one row
    # Bytes, where no database says which encoding the text has.
    return [text_of(each) if isinstance(each, bytes) else str(each) for each in row]


def open_replication(
    conninfo: Mapping[str, str], *, within_s: float, check: Callable[[], None]
) -> "PGconn":
    """Open a physical replication connection, for a conversation that psycopg does not know.

    `check` is called while nothing comes; what it raises ends the waiting. Raises Unreachable with
    libpq's own words. `conninfo` may hold a password, which goes to libpq and nowhere else.
    """
    from psycopg import pq

    values = {**_replication(conninfo), **UNCHECKED}
    pgconn = pq.PGconn.connect_start(bytes_of(format_conninfo(values)))
    try:
        _await_connection(pgconn, within_s, check)
    except BaseException:
        pgconn.finish()
        raise
    return pgconn


def error_message(pgconn: "PGconn") -> str:
    """Return what libpq says of a connection, in one line."""
    return _joined(text_of(pgconn.error_message))


def _replication(conninfo: Mapping[str, str]) -> dict[str, str]:
    """A walsender without a database has no role's settings, only those of its environment."""
    return {**pinned(conninfo), **PHYSICAL_REPLICATION}


def _await_connection(pgconn: "PGconn", within_s: float, check: Callable[[], None]) -> None:
    from psycopg.pq import PollingStatus

    deadline = time.monotonic() + within_s
    while (status := pgconn.connect_poll()) != PollingStatus.OK:
        check()
        if status == PollingStatus.FAILED:
            raise _unreachable(error_message(pgconn))
        if time.monotonic() > deadline:  # libpq has the first half of the sentence ready.
            raise _unreachable(f"{error_message(pgconn)} no answer within {within_s:g} s".strip())
        poll = select.poll()  # The socket changes from one address of the host to the next.
        is_reading = status == PollingStatus.READING
        poll.register(pgconn.socket, select.POLLIN if is_reading else select.POLLOUT)
        poll.poll(TICK_MS)


def _unreachable(why: str) -> Unreachable:
    return Unreachable("could not connect to the primary", detail=why)


def _identifier(name: str) -> str:
    """Return a name as an identifier in a query that has parameters."""
    from psycopg.sql import Identifier

    return Identifier(name).as_string(None).replace("%", "%%")


def _query(name: str) -> str:
    return read_text(QUERIES / f"{name}.sql")


def _failed(message: str, error: "psycopg.Error") -> Unreachable:
    """Return the failure of a query: what the server will say again, or what may pass."""
    kind = QueryRefused if (error.sqlstate or "").startswith(FINAL) else Unreachable
    return kind(message, detail=_text(error))


def _answer(error: "psycopg.Error", name: str) -> RecoveryError:
    """Return a server's refusal as the failure that has its SQLSTATE."""
    message = words_of(error, "message_primary")
    if error.sqlstate is None or message is None:
        return Unreachable(
            f"lost the connection to {name}", detail=_text(error), target=TargetState.UNKNOWN
        )
    return error_of_sqlstate(
        error.sqlstate,
        message,
        words_of(error, "message_detail"),
        words_of(error, "message_hint"),
    )


def _text(error: "psycopg.Error") -> str:
    return _joined(text_of_error(error))


def _joined(text: str) -> str:
    r"""Return the lines of libpq, of which each is a sentence, as one.

    >>> _joined("connection failed: refused\n\tIs the server running?\n")
    'connection failed: refused; Is the server running?'
    """
    lines = (" ".join(line.split()) for line in lines_of(text))
    return "; ".join(line for line in lines if line)
