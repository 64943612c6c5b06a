"""Connections to PostgreSQL; psycopg is imported when the first one is opened."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.postgres.conninfo import format_conninfo

if TYPE_CHECKING:
    import psycopg

APPLICATION_NAME = "pgpool-recovery"
PHYSICAL_REPLICATION = {"replication": "true", "dbname": "replication"}
"""The database is a name for the password file alone, as in libpqrcv_connect()."""


class Connection:
    """A connection to a server in autocommit mode: each query is its own transaction."""

    def __init__(self, connection: "psycopg.Connection[dict[str, Any]]", name: str) -> None:
        self._connection = connection
        self._name = name

    def rows(self, query: str, /, **parameters: object) -> list[dict[str, Any]]:
        """Run ``sql/<query>.sql`` and return its rows; Unreachable when it fails."""
        import psycopg

        text = files(__package__).joinpath("sql", f"{query}.sql").read_text()
        try:
            return self._connection.execute(text.encode(), parameters).fetchall()
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


@contextmanager
def connect(
    conninfo: Mapping[str, str], *, timeout_s: int = 10, name: str = "the primary"
) -> Iterator[Connection]:
    """Open a connection to a server; what `conninfo` leaves out comes from the environment.

    `name` is what failures call the server. Raises Unreachable with its own or libpq's words.
    """
    import psycopg
    from psycopg.rows import dict_row

    values = {"connect_timeout": str(timeout_s), "application_name": APPLICATION_NAME, **conninfo}
    try:
        connection = psycopg.connect(format_conninfo(values), autocommit=True, row_factory=dict_row)
    except psycopg.Error as error:
        raise Unreachable(f"could not connect to {name}", detail=_text(error)) from error
    with connection:
        yield Connection(connection, name)


def identify_system(conninfo: Mapping[str, str], *, timeout_s: int) -> str:
    """Return the system identifier to which a replication connection leads."""
    import psycopg

    values = {**conninfo, **PHYSICAL_REPLICATION, "connect_timeout": str(timeout_s)}
    try:
        with psycopg.connect(format_conninfo(values), autocommit=True) as connection:
            row = connection.execute("IDENTIFY_SYSTEM").fetchone()
    except psycopg.Error as error:
        raise Unreachable("could not connect to the primary", detail=_text(error)) from error
    assert row is not None  # noqa: S101 - the command answers with one row
    found = row[0]  # Bytes, where no database says which encoding the text has.
    return found.decode() if isinstance(found, bytes) else str(found)


def _text(error: Exception) -> str:
    return " ".join(str(error).split())
