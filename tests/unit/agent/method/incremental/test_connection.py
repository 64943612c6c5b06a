"""A connection that cannot be made, or is cancelled, ends within its time limit."""

import socket
import time
from collections.abc import Iterator

import pytest

from pgpool_recovery.domain.error import Cancelled, Unreachable
from pgpool_recovery.postgres.backup_stream import StreamLimits, open_backup

LIMITS = StreamLimits(connect_s=0.5)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port on which a program listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def conninfo(port: int) -> dict[str, str]:
    return {"host": "127.0.0.1", "port": str(port), "user": "repl", "password": "secret"}


def test_no_answer(silent_port: int) -> None:
    began = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        open_backup(conninfo(silent_port), LIMITS, lambda: None)
    assert time.monotonic() - began < 5
    said = f'connection to server at "127.0.0.1", port {silent_port} failed: no answer within 0.5 s'
    assert caught.value.detail == said


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unreachable) as caught:
        open_backup(conninfo(port), LIMITS, lambda: None)
    assert "Connection refused" in str(caught.value.detail)
    assert "secret" not in str(caught.value.as_record())


def test_a_cancel_while_there_is_no_answer(silent_port: int) -> None:
    def cancel() -> None:
        raise Cancelled("the recovery was cancelled")

    with pytest.raises(Cancelled):
        open_backup(conninfo(silent_port), LIMITS, cancel)
