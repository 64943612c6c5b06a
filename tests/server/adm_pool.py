"""A byte server in place of Pgpool-II, which gives pgpool_adm the answers of any release."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness.postgresql import Server
from tests.unit.pcp.byte_server import Serve, byte_server


def create_pgpool_adm(server: Server) -> None:
    """Create the extension, and a foreign data wrapper, which is not part of it."""
    server.execute("CREATE EXTENSION pgpool_adm; CREATE FOREIGN DATA WRAPPER pgpool_fdw;")


@contextmanager
def listening(directory: Path, *turns: Serve) -> Iterator[str]:
    """Run a byte server, and yield the arguments with which a call reaches it."""
    socket = directory / ".s.PGSQL.9898"
    with byte_server(directory, *turns):
        socket.chmod(0o777)
        yield f"'{directory}', 9898, 'pgpool', 'any'"
    socket.unlink(missing_ok=True)
