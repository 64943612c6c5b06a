"""Open every connection to PostgreSQL; psycopg is imported with the first one.

No other module opens one (ci/rules/connection_home.py), so each has the settings of session.py.
"""

import select
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from math import ceil
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
from pgpool_recovery.files.text import bytes_of, lines_of, text_of
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
PHYSICAL_REPLICATION = {"replication": "true", "dbname": "replication"}
"""The database name serves only for the lookup in the password file, as in libpqrcv_connect()."""
UNCHECKED = {"client_encoding": "SQL_ASCII"}
"""A WAL sender without a database has no text encoding; in UTF-8 it would refuse some paths."""
THE_PRIMARY = "the primary"
EXTENSION = "{extension}"
"""Stands for the schema of our extension in a query."""
TICK_MS = 200
DEFAULT_CONNECT_S = 10.0
T = TypeVar("T")
FINAL = ("0A", "22", "25", "28", "3D", "3F", "42", "55000")
"""SQLSTATEs, or their classes, where a retry would fail again: a missing privilege, a missing
object, a feature that this server lacks. A lost connection, a lock, a full disk or a crash can
pass."""


class Connection:
    """A connection to a server in autocommit mode: each query is its own transaction."""

    def __init__(self, connection: "psycopg.Connection[dict[str, Any]]", name: str) -> None:
        self._connection = connection
        self._name = name
        self._schema: str | None = None

    def extension(self) -> InstalledExtension | None:
        """Return the extension of this database and what it provides; None if there is none.

        Only after this call can queries use its tables and functions. They qualify them with its
        schema, since no such schema is on the search path. If a foreign role owns the extension,
        such queries stay impossible: that role could replace the schema between two of them.
        """
        found = self.rows("extension")
        if not found:
            return None
        extension = read_extension(found[0])
        self._schema = extension.schema if extension.foreign is None else None
        return extension

    @property
    def backend_pid(self) -> int:
        """The process ID of the server process of this session."""
        return self._connection.info.backend_pid

    def rows(self, query: str, /, **parameters: object) -> list[dict[str, Any]]:
        """Run ``sql/<query>.sql`` and return its rows.

        Raises QueryRefused when a retry would fail again, the refusal of denied.py when the role
        lacks a privilege on the extension, and Unreachable for any other failure.
        """
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
        """Run a query whose failure is an answer; meanwhile pass each notice to `on_notice`.

        Raises the failure that the SQLSTATE stands for, with the server's message, detail and hint,
        and Unreachable when the connection was lost.
        """
        import psycopg

        try:
            with self._asking(query), hearing_notices(self._connection, on_notice):
                return self._connection.execute(self._text(query), parameters).fetchall()
        except psycopg.Error as error:
            raise self._refusal(query, error) or _answer(error, self._name) from error

    def _asking(self, what: str) -> AnySpan:
        """Log a query by its name only; its parameters and its result are in the facts."""
        return span("query {} on {}", what, self._name, is_brief=True)

    def _refusal(self, query: str, error: "psycopg.Error") -> RecoveryError | None:
        """Return the failure of a role without privileges; None for any other error.

        An error with a context was raised inside a function, which the role thus may call.
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
                raise LookupError(f'query "{query}" needs a schema, but extension() has found none')
            text = text.replace(EXTENSION, _identifier(self._schema))
        return text.encode()


def load() -> None:
    """Load psycopg in the background, while the caller waits for something else.

    The import takes a tenth of a second; a connection that is opened earlier waits for its end.
    """
    import_ahead(["psycopg"])


def read_queries() -> None:
    """Read all queries into memory; raise OSError if one cannot be read."""
    from importlib.resources import files

    for each in (files("pgpool_recovery.postgres") / "sql").iterdir():
        _query(each.name.removesuffix(".sql"))


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

    No query takes longer than `answer_s`. `settings` are set in addition to those that every
    session of ours has. Failures call the server `name`. Raises NoSession with the message of the
    server or of libpq, and Unreachable when the session was lost at once.
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
    """A server that has transaction_timeout ended the session before we could turn that off.

    A timeout of a millisecond or two can expire during the login, or before the first statement.
    Of a failed login there is only the server's message, which may be in another language.
    """


def _open(conninfo: Mapping[str, str], name: str) -> "psycopg.Connection[dict[str, Any]]":
    """Open a connection and set what cannot be set in its startup options."""
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
    """Open a connection with a string of any bytes; psycopg accepts only UTF-8."""
    import psycopg

    try:
        text.encode()
    except UnicodeEncodeError:
        from psycopg import pq

        # The server reports our user name at once, in the client encoding if it can convert it.
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
    """Return connection parameters for a PostgreSQL program, with the settings of our sessions."""
    return {**conninfo, "options": startup_options(conninfo.get("options"))}


def whole_seconds(seconds: float) -> str:
    """Return a value for connect_timeout: libpq takes whole seconds, and treats 1 as 2.

    >>> whole_seconds(0.5), whole_seconds(4.2)
    ('2', '5')
    """
    return str(max(2, ceil(seconds)))


def identify_system(conninfo: Mapping[str, str], *, timeout_s: float) -> str:
    """Return the system identifier of the server that a replication connection reaches.

    Raises Unreachable, as _identify does.
    """
    return _identify(conninfo, timeout_s, THE_PRIMARY)[0]


def identify_timeline(conninfo: Mapping[str, str], *, timeout_s: float, name: str) -> int:
    """Return the timeline that a server writes, or that a standby replays.

    Only IDENTIFY_SYSTEM reports a standby's timeline at once (GetStandbyFlushRecPtr in
    walsender.c), whose control file is updated later. Raises Unreachable, as _identify does.
    """
    return int(_identify(conninfo, timeout_s, name)[1])


def _identify(conninfo: Mapping[str, str], timeout_s: float, name: str) -> list[str]:
    """Return the row of IDENTIFY_SYSTEM; raise Unreachable when no session can be opened."""
    import psycopg
    from psycopg.rows import tuple_row

    values = {**_replication(conninfo), "connect_timeout": whole_seconds(timeout_s)}
    try:
        with _connected(format_conninfo(values), values, row_factory=tuple_row) as connection:
            row = connection.execute(b"IDENTIFY_SYSTEM").fetchone()
    except psycopg.Error as error:
        raise Unreachable(f"could not connect to {name}", detail=_text(error)) from error
    assert row is not None  # noqa: S101 - the command answers with one row
    # Values are bytes where no database determines their encoding.
    return [text_of(each) if isinstance(each, bytes) else str(each) for each in row]


def open_replication(
    conninfo: Mapping[str, str], *, within_s: float, check: Callable[[], None]
) -> "PGconn":
    """Open a physical replication connection, for protocols that psycopg does not implement.

    `check` is called while nothing arrives; an exception from it ends the wait. Raises Unreachable
    with libpq's message. `conninfo` may hold a password, which is passed to libpq only.
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
    """Return libpq's error message of a connection, in one line."""
    return _joined(text_of(pgconn.error_message))


def _replication(conninfo: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of a physical replication connection, with our pinned settings.

    A WAL sender without a database has no settings of a role, but has those of our environment.
    """
    return {**pinned(conninfo), **PHYSICAL_REPLICATION}


def _await_connection(pgconn: "PGconn", within_s: float, check: Callable[[], None]) -> None:
    from psycopg.pq import PollingStatus

    deadline = time.monotonic() + within_s
    while (status := pgconn.connect_poll()) != PollingStatus.OK:
        check()
        if status == PollingStatus.FAILED:
            raise _unreachable(error_message(pgconn))
        if time.monotonic() > deadline:  # libpq's message is the first half of the sentence.
            raise _unreachable(f"{error_message(pgconn)} no answer within {within_s:g} s".strip())
        poll = select.poll()  # libpq opens a new socket for each address of the host.
        is_reading = status == PollingStatus.READING
        poll.register(pgconn.socket, select.POLLIN if is_reading else select.POLLOUT)
        poll.poll(TICK_MS)


def _unreachable(why: str) -> Unreachable:
    return Unreachable("could not connect to the primary", detail=why)


def _identifier(name: str) -> str:
    """Return a name as an identifier for a query that has parameters, so with each % doubled."""
    from psycopg.sql import Identifier

    return Identifier(name).as_string(None).replace("%", "%%")


@cache
def _query(name: str) -> str:
    # The loader also reads from a zip file. To import importlib.resources would take 10 ms.
    loader: Any = __spec__.loader
    return text_of(loader.get_data(f"{__file__.rpartition('/')[0]}/sql/{name}.sql"))


def _failed(message: str, error: "psycopg.Error") -> Unreachable:
    """Return the failure of a query: QueryRefused where a retry would fail again."""
    kind = QueryRefused if (error.sqlstate or "").startswith(FINAL) else Unreachable
    return kind(message, detail=_text(error))


def _answer(error: "psycopg.Error", name: str) -> RecoveryError:
    """Return a server's error as the failure that has its SQLSTATE."""
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
    r"""Return libpq's message as one line; each of its lines is a sentence.

    >>> _joined("connection failed: refused\n\tIs the server running?\n")
    'connection failed: refused; Is the server running?'
    """
    lines = (" ".join(line.split()) for line in lines_of(text))
    return "; ".join(line for line in lines if line)
