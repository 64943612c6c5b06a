"""Measure the CPU seconds that a host has used, whatever ran there."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.harness.host import Host
from tests.harness.postgresql import Server

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_TIMES = slice(11, 15)
"""utime, stime, cutime, cstime of proc(5), counted from the state."""


def used_s(hosts: Sequence[Host], without: Server | None = None) -> float:
    """Return the CPU seconds of all processes that these hosts have had, except one server's.

    A process that has ended is counted by the one that has waited for it, and ultimately by the
    host's first process, so none is lost, however short it was. The processes of the server, which
    was started by what is measured, are subtracted with everything that they have waited for.
    """
    all_ticks = sum(_ticks(Path(f"/proc/{host.keeper.pid}/root/proc")) for host in hosts)
    if without is None:
        return all_ticks / _TICKS_PER_S
    proc = without.machine.path("/proc")
    server = sum(_ticks_of(proc / str(one.pid)) for one in without.processes())
    return (all_ticks - server) / _TICKS_PER_S


def _ticks(proc: Path) -> int:
    return sum(_ticks_of(entry) for entry in proc.iterdir() if entry.name.isdigit())


def _ticks_of(process: Path) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[_TIMES]))
    return 0
