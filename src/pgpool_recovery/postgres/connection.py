"""Connections to PostgreSQL; psycopg is imported when the first one is opened."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from math import ceil
from typing import TYPE_CHECKING, Any

from pgpool_recovery.domain.error import RecoveryError, Unreachable, error_of_sqlstate
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.postgres.conninfo import format_conninfo

if TYPE_CHECKING:
    import psycopg

APPLICATION_NAME = "pgpool-recovery"
PHYSICAL_REPLICATION = {"replication": "true", "dbname": "replication"}
"""The database is a name for the password file alone, as in libpqrcv_connect()."""
THE_PRIMARY = "the primary"


class Connection:
    """A connection to a server in autocommit mode: each query is its own transaction."""

    def __init__(self, connection: "psycopg.Connection[dict[str, Any]]", name: str) -> None:
        self._connection = connection
        self._name = name

    @property
    def backend_pid(self) -> int:
        """The process of the server."""
        return self._connection.info.backend_pid

    def rows(self, query: str, /, **parameters: object) -> list[dict[str, Any]]:
        """Run ``sql/<query>.sql`` and return its rows; Unreachable when it fails."""
        import psycopg

        try:
            return self._connection.execute(_query(query).encode(), parameters).fetchall()
        except psycopg.Error as error:
            raise Unreachable(
                f'query "{query}" failed on {self._name}', detail=_text(error)
            ) from error

    def do(self, command: str) -> None:
        """Run a command that returns no rows."""
        import psycopg

        try:
            self._connection.execute(command.encode())
        except psycopg.Error as error:
            raise Unreachable(f"{command} failed on {self._name}", detail=_text(error)) from error

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

        def tell(notice: psycopg.errors.Diagnostic) -> None:
            on_notice(notice.message_primary or "")

        self._connection.add_notice_handler(tell)
        try:
            return self._connection.execute(_query(query).encode(), parameters).fetchall()
        except psycopg.Error as error:
            raise _answer(error, self._name) from error
        finally:
            if not self._connection.closed:
                self._connection.remove_notice_handler(tell)


@contextmanager
def connect(
    conninfo: Mapping[str, str], *, timeout_s: float = 10, name: str = THE_PRIMARY
) -> Iterator[Connection]:
    """Open a connection to a server; what `conninfo` leaves out comes from the environment.

    `name` is what failures call the server. Raises Unreachable with its own or libpq's words.
    """
    import psycopg
    from psycopg.rows import dict_row

    values = {
        "connect_timeout": whole_seconds(timeout_s),
        "application_name": APPLICATION_NAME,
        **conninfo,
    }
    try:
        connection = psycopg.connect(format_conninfo(values), autocommit=True, row_factory=dict_row)
    except psycopg.Error as error:
        raise Unreachable(f"could not connect to {name}", detail=_text(error)) from error
    with connection:
        yield Connection(connection, name)


def whole_seconds(seconds: float) -> str:
    """Return what connect_timeout takes: libpq knows whole seconds, and takes 1 for 2.

    >>> whole_seconds(0.5), whole_seconds(4.2)
    ('2', '5')
    """
    return str(max(2, ceil(seconds)))


def identify_system(conninfo: Mapping[str, str], *, timeout_s: float) -> str:
    """Return the system identifier to which a replication connection leads."""
    import psycopg

    values = {**conninfo, **PHYSICAL_REPLICATION, "connect_timeout": whole_seconds(timeout_s)}
    try:
        with psycopg.connect(format_conninfo(values), autocommit=True) as connection:
            row = connection.execute("IDENTIFY_SYSTEM").fetchone()
    except psycopg.Error as error:
        raise Unreachable("could not connect to the primary", detail=_text(error)) from error
    assert row is not None  # noqa: S101 - the command answers with one row
    found = row[0]  # Bytes, where no database says which encoding the text has.
    return found.decode() if isinstance(found, bytes) else str(found)


def _query(name: str) -> str:
    return files(__package__).joinpath("sql", f"{name}.sql").read_text()


def _answer(error: "psycopg.Error", name: str) -> RecoveryError:
    """Return a server's refusal as the failure that has its SQLSTATE."""
    said = error.diag
    if error.sqlstate is None or said.message_primary is None:
        return Unreachable(
            f"lost the connection to {name}", detail=_text(error), target=TargetState.UNKNOWN
        )
    return error_of_sqlstate(
        error.sqlstate, said.message_primary, said.message_detail, said.message_hint
    )


def _text(error: Exception) -> str:
    return " ".join(str(error).split())
