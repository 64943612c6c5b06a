"""Whether a server that accepts no connections, not yet or no more, gets on: slow is not dead.

It replays, or does a checkpoint, for as long as that takes. What its processes call themselves says
which of them work and on which segment (set_ps_display), and the kernel what these have done.

Whoever waits in vain for WAL does not sleep: it tries archive, pg_wal and primary again, each
wal_retrieve_retry_interval, and reads each time what it has, of one timeline and of the other
(WaitForWALToBecomeAvailable in xlogrecovery.c; `tests/server/test_waits_in_vain.py`). So neither
a title that changes is progress, nor a byte that is read.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

from pgpool_recovery.domain.record import record
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.host.server_process import STARTUP, ServerProcess, children

CHECKPOINTS = re.compile(r"^postgres: .*\bperforming .*(?:checkpoint|restartpoint)")
SEGMENT = re.compile(r" (?:recovering|waiting for) [0-9A-F]{8}([0-9A-F]{16})$")
"""Without its timeline."""
MOVED = ("wchar", "read_bytes", "write_bytes")
"""Of proc_pid_io(5): what was written, and what the disk had to read, for it is not in memory."""
SWITCHES = "voluntary_ctxt_switches"
"""A checkpoint that syncs one file after the other has waited for each of them."""
WORKS_BYTES_S = 32 * 1024
"""Four pages in a second: less than any disk has, and more than goes into a log by retries."""


@record
class Signs:
    """What is seen of a server at a moment.

    `settled`: what changes only when it gets on; `segment`: of which replay needs WAL;
    `moved_bytes`: by replay.
    """

    settled: tuple[object, ...]
    segment: int | None = None
    moved_bytes: int = 0


class ServerProgress:
    """Looks at the server of a data directory again and again; `moved` is when it got on last."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._signs = signs(data)
        self._segments = range(0)
        self._is_new(self._signs.segment)
        self.moved = time.monotonic()

    def look(self) -> None:
        """Take note of how far it is."""
        found = signs(self._data)
        moved_bytes = found.moved_bytes - self._signs.moved_bytes
        works = moved_bytes > WORKS_BYTES_S * self.stands_still_s()
        if self._is_new(found.segment) or works or found.settled != self._signs.settled:
            self._signs, self.moved = found, time.monotonic()

    def stands_still_s(self) -> float:
        """Return for how long it has not got on."""
        return time.monotonic() - self.moved

    def _is_new(self, segment: int | None) -> bool:
        """Say whether replay needs a segment for the first time, and remember it.

        It reads the checkpoint, goes back to where that began, and on from there. A record may lie
        in several segments: who waits in vain for its end comes to each of them again and again.
        """
        if segment is None or segment in self._segments:
            return False
        goes_on = self._segments and segment > self._segments.start
        self._segments = range(self._segments.start if goes_on else segment, segment + 1)
        return True


def signs(data: Path) -> Signs:
    """Return by what is seen that a server replays, or does a checkpoint."""
    server = read_pid_file(data)
    processes = () if server is None else tuple(children(server.pid))
    settled: tuple[object, ...] = (
        _changed(data / "global" / "pg_control"),
        frozenset(_checkpoints(processes)),
    )
    startup = next((one for one in processes if STARTUP.match(one.title)), None)
    if startup is None:
        return Signs(settled)
    segment = SEGMENT.search(startup.title)
    # Of the process as a whole the kernel counts what its restore_command has done as well.
    moved = _numbers(startup.process.text(f"task/{startup.process.pid}/io"), MOVED)
    return Signs(settled, None if segment is None else int(segment[1], 16), sum(moved))


def _checkpoints(of_server: tuple[ServerProcess, ...]) -> Iterator[tuple[object, ...]]:
    for process, title in of_server:
        if CHECKPOINTS.search(title):
            switches = _numbers(process.text("status"), (SWITCHES,))
            yield (title, *switches, *_numbers(process.text("io"), MOVED))


def _numbers(text: str, names: tuple[str, ...]) -> Iterator[int]:
    """Yield the numbers of lines such as "rchar: 4711", as far as this user may see them."""
    pairs = (line.partition(":") for line in text.split("\n"))
    yield from (int(number) for name, _, number in pairs if name in names)


def _changed(file: Path) -> int | None:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return None
