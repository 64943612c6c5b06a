"""The answer of a server that refuses every login."""

from pathlib import Path

import pytest

from pgpool_recovery.postgres.ping import PingAnswer, ping
from tests.harness.postgresql import Server


def test_server_that_refuses_the_login_is_up(
    stock_server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A server that refuses an unknown role is up, and libpq prints nothing.

    PQping counts the refusal as an answer.
    """
    machine = stock_server.machine
    place = str(machine.path(machine.socket_directory))
    socket = {"host": place, "port": str(stock_server.port)}
    assert ping({**socket, "user": "nobody_of_that_name"}, timeout_s=5) is PingAnswer.UP
    elsewhere = {"host": str(tmp_path), "port": str(stock_server.port)}
    assert ping(elsewhere, timeout_s=5) is PingAnswer.DOWN
    assert capfd.readouterr() == ("", "")
