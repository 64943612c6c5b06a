"""Find out whether a server that does not accept connections still makes progress.

It replays, or performs a checkpoint, for as long as that takes: a slow server is not a dead one.
The process titles say which of its processes work and on which segment (set_ps_display), and the
kernel reports what these have done.

A server that waits forever for WAL does not sleep. It tries archive, pg_wal and primary again every
wal_retrieve_retry_interval, and each time it reads what it has, on one timeline and the other
(WaitForWALToBecomeAvailable in xlogrecovery.c; `tests/server/test_waits_in_vain.py`). So neither a
changed title nor a few bytes read are progress.
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
"""The group is the segment without its timeline."""
MOVED = ("wchar", "read_bytes", "write_bytes")
"""From proc_pid_io(5): what was written, and what had to be read from disk, not from memory."""
SWITCHES = "voluntary_ctxt_switches"
"""A checkpoint that syncs one file after the other waits for each of them."""
WORKS_BYTES_S = 32 * 1024
"""Four pages per second: less than any disk achieves, and more than retries write to a log."""


@record
class Signs:
    """What is seen of a server at a moment.

    `settled`: what changes only when the server makes progress. `segment`: the number of the
    segment that replay needs. `moved_bytes`: what replay has read from disk and written.
    """

    settled: tuple[object, ...]
    segment: int | None = None
    moved_bytes: int = 0


class ServerProgress:
    """Observes the server of a data directory repeatedly.

    `moved` is the time of its last progress, by the monotonic clock.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._signs = signs(data)
        self._segments = range(0)
        self._is_new(self._signs.segment)
        self.moved = time.monotonic()

    def look(self) -> None:
        """Observe it once more, and record whether it has made progress."""
        found = signs(self._data)
        moved_bytes = found.moved_bytes - self._signs.moved_bytes
        works = moved_bytes > WORKS_BYTES_S * self.stands_still_s()
        if self._is_new(found.segment) or works or found.settled != self._signs.settled:
            self._signs, self.moved = found, time.monotonic()

    def stands_still_s(self) -> float:
        """Return for how many seconds it has made no progress."""
        return time.monotonic() - self.moved

    def _is_new(self, segment: int | None) -> bool:
        """Return whether replay needs a segment for the first time, and remember it.

        Replay reads the checkpoint, goes back to where that began, and on from there. A record may
        span several segments: a server that waits forever for its end reads all of them each time.
        """
        if segment is None or segment in self._segments:
            return False
        goes_on = self._segments and segment > self._segments.start
        self._segments = range(self._segments.start if goes_on else segment, segment + 1)
        return True


def signs(data: Path) -> Signs:
    """Return the signs that a server replays or performs a checkpoint."""
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
    # The task, not the process: the latter's counters include those of its restore_command.
    moved = _numbers(startup.process.text(f"task/{startup.process.pid}/io"), MOVED)
    return Signs(settled, None if segment is None else int(segment[1], 16), sum(moved))


def _checkpoints(of_server: tuple[ServerProcess, ...]) -> Iterator[tuple[object, ...]]:
    for process, title in of_server:
        if CHECKPOINTS.search(title):
            switches = _numbers(process.text("status"), (SWITCHES,))
            yield (title, *switches, *_numbers(process.text("io"), MOVED))


def _numbers(text: str, names: tuple[str, ...]) -> Iterator[int]:
    """Yield the numbers from lines such as "rchar: 4711"; none when this user may not read them."""
    pairs = (line.partition(":") for line in text.split("\n"))
    yield from (int(number) for name, _, number in pairs if name in names)


def _changed(file: Path) -> int | None:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return None
