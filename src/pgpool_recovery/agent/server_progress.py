"""Whether a server that accepts no connections, not yet or no more, gets on: slow is not dead.

It replays, or does a checkpoint, for as long as that takes. What its processes call themselves says
which of them work (set_ps_display), and the kernel what these have done.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

from pgpool_recovery.agent.pidfile import read_pid_file
from pgpool_recovery.agent.server_process import STARTUP, children

REPLAYS = re.compile(r"^postgres: (?:.*: )?startup recovering ")
CHECKPOINTS = re.compile(r"^postgres: .*\bperforming .*(?:checkpoint|restartpoint)")
MOVED = ("rchar", "wchar", "read_bytes", "write_bytes")
"""Of /proc/PID/io. Replay that is paused reads and writes nothing."""
SWITCHES = "voluntary_ctxt_switches"
"""A checkpoint that syncs one file after the other has waited for each of them."""

Signs = tuple[object, ...]


class ServerProgress:
    """Looks at the server of a data directory again and again; `moved` is when it got on last."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._signs = signs(data)
        self.moved = time.monotonic()

    def look(self) -> None:
        """Take note of how far it is."""
        found = signs(self._data)
        if found != self._signs:
            self._signs, self.moved = found, time.monotonic()

    def stands_still_s(self) -> float:
        """Return for how long it has not got on."""
        return time.monotonic() - self.moved


def signs(data: Path) -> Signs:
    """Return what changes as long as a server replays, or does a checkpoint.

    Whoever waits for WAL, or is paused, has the same signs for ever.
    """
    server = read_pid_file(data)
    work = () if server is None else tuple(_work(server.pid))
    return (_changed(data / "global" / "pg_control"), *work)


def _work(postmaster: int) -> Iterator[Signs]:
    for process in sorted(children(postmaster), key=lambda child: child.pid):
        title = process.title
        if CHECKPOINTS.search(title):
            switches = _numbers(process.text("status"), (SWITCHES,))
            yield (title, *switches, *_numbers(process.text("io"), MOVED))
        elif REPLAYS.search(title):
            yield (title, *_numbers(process.text("io"), MOVED))
        elif STARTUP.match(title):
            yield (title,)


def _numbers(text: str, names: tuple[str, ...]) -> Iterator[int]:
    """Yield the numbers of lines such as "rchar: 4711", as far as this user may see them."""
    pairs = (line.partition(":") for line in text.split("\n"))
    yield from (int(number) for name, _, number in pairs if name in names)


def _changed(file: Path) -> int | None:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return None
