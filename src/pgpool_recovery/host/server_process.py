"""The processes of a server, by what they call themselves (set_ps_display in ps_status.c)."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from pgpool_recovery.files.process_table import Process, processes

STARTUP = re.compile(r"postgres: (?:.*: )?startup\b")
"""The process that replays. What stands in front is cluster_name."""


class ServerProcess(NamedTuple):
    """A process, and what it calls itself at the moment."""

    process: Process
    title: str


def children(parent: int) -> Iterator[ServerProcess]:
    """Yield the processes that one has started and that have not ended."""
    for process in processes():
        if process.parent == parent:
            yield ServerProcess(process, process.text("cmdline").rstrip("\0 "))
