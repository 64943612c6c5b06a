"""A role is told which privilege it lacks, and the GRANT in the hint is enough."""

from collections.abc import Callable, Iterator

import pytest

from pgpool_recovery.domain.error import RecoveryError, Refused
from pgpool_recovery.postgres.connection import Connection, connect
from pgpool_recovery.postgres.conninfo import parse_conninfo
from tests.harness.postgresql import Server

pytestmark = pytest.mark.usefixtures("app")
NODE = {
    "host": "server2",
    "data_directory": "/data",
    "primary_port": "5432",
    "node_id": 1,
    "port": "5432",
    "primary_host": "server1",
}


@pytest.fixture
def app(server: Server) -> Iterator[None]:
    server.execute("CREATE ROLE app LOGIN")
    yield
    server.execute("DROP OWNED BY app; DROP ROLE app")


def plan(connection: Connection) -> object:
    return connection.call("plan_recovery", lambda _line: None, **NODE)


def read(connection: Connection) -> object:
    return connection.rows("runs", count=1)


def as_app(server: Server, action: Callable[[Connection], object]) -> object:
    where = parse_conninfo(server.conninfo_from_here("app", dbname="postgres"))
    with connect(where, name="node 0") as connection:
        assert connection.extension() is not None
        return action(connection)


def test_function_that_may_not_be_called(server: Server) -> None:
    with pytest.raises(Refused) as caught:
        as_app(server, plan)
    assert caught.value.message == 'role "app" may not call pgpool_recovery_plan on node 0'
    server.execute(str(caught.value.hint).removesuffix("."))
    with pytest.raises(RecoveryError, match=r'script ".*" does not exist'):  # It was called.
        as_app(server, plan)


def test_record_that_may_not_be_read(server: Server) -> None:
    with pytest.raises(Refused) as caught:
        as_app(server, read)
    assert caught.value.message == 'role "app" may not read the record of recoveries on node 0'
    assert "permission denied for view" in (caught.value.detail or "")
    server.execute(str(caught.value.hint).removesuffix("."))
    assert as_app(server, read) == []
