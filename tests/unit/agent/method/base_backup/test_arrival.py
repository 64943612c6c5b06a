"""Files that arrive in pieces of any size, and what happens to the buffers that they share."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pgpool_recovery.agent.method.base_backup import arrival
from pgpool_recovery.agent.method.base_backup.arrival import BUFFERS, Arrivals
from pgpool_recovery.domain.error import Cancelled
from pgpool_recovery.host.stop import Stop

SMALL = 64
"""Bytes of a buffer here, so that a few bytes need many of them."""


class Held:
    """A checksum that waits before the first piece, as a disk that is busy (`Checksum`)."""

    def __init__(self, until: threading.Event) -> None:
        self._until = until

    def update(self, _data: memoryview, /) -> None:
        assert self._until.wait(30)

    def digest(self) -> bytes:
        return b""


@pytest.fixture(autouse=True)
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival, "BUFFER_BYTES", SMALL)


@pytest.fixture
def held() -> Iterator[threading.Event]:
    until = threading.Event()
    yield until
    until.set()


@pytest.mark.parametrize("size", [0, 1, SMALL, SMALL + 1, 50 * SMALL * BUFFERS + 7])
@pytest.mark.parametrize("piece", [5, SMALL, 3 * SMALL + 1])
def test_a_file_is_written_and_summed_as_it_came(tmp_path: Path, size: int, piece: int) -> None:
    content = bytes(at * 7 % 251 for at in range(size))
    with closing(Arrivals(hashlib.sha256, lambda: None)) as arrivals:
        sink = arrivals.sink_of("a", tmp_path / "a", 0o600)
        for at in range(0, size, piece):
            sink.write(memoryview(content[at : at + piece]))
        sink.close()
        arrivals.end_files()
        arrivals.finish()
        assert arrivals.arrived["a"] == (size, hashlib.sha256(content).digest())
    assert (tmp_path / "a").read_bytes() == content


def test_no_more_waits_than_the_buffers_hold_and_the_wait_ends_when_cancelled(
    tmp_path: Path, held: threading.Event
) -> None:
    stop = Stop()
    arrivals = Arrivals(lambda: Held(held), stop.check)
    sink = arrivals.sink_of("a", tmp_path / "a", 0o600)
    sink.write(memoryview(bytes(SMALL * BUFFERS)))
    threading.Timer(0.5, stop.ask).start()
    with pytest.raises(Cancelled):
        sink.write(memoryview(bytes(1)))
    held.set()
    arrivals.close()


def test_what_prevents_writing_is_raised_where_the_next_pieces_come(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with closing(Arrivals(hashlib.sha256, lambda: None)) as arrivals:
        sink = arrivals.sink_of("a", tmp_path / "a", 0o600)
        with pytest.raises(OSError, match="Is a directory"):
            sink.write(memoryview(bytes(2 * SMALL * BUFFERS)))
