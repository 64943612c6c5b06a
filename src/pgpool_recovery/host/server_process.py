"""Identify the processes of a server by their titles (set_ps_display in ps_status.c)."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from pgpool_recovery.files.process_table import Process, processes

STARTUP = re.compile(r"postgres: (?:.*: )?startup\b")
"""The title of the process that replays WAL; cluster_name may come before "startup"."""


class ServerProcess(NamedTuple):
    """A process and its current title."""

    process: Process
    title: str


def children(parent: int) -> Iterator[ServerProcess]:
    """Yield the running child processes of a process."""
    for process in processes():
        if process.parent == parent:
            yield ServerProcess(process, process.text("cmdline").rstrip("\0 "))
