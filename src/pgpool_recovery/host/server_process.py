"""The processes of a server, by what they call themselves (set_ps_display in ps_status.c)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pgpool_recovery.files.text import read_text

PROCESSES = Path("/proc")
STARTUP = re.compile(r"postgres: (?:.*: )?startup\b")
"""The process that replays. What stands in front is cluster_name."""


@dataclass(frozen=True)
class Process:
    """A process, by its directory in proc_pid(5), and its title."""

    directory: Path
    title: str

    @property
    def pid(self) -> int:
        """Its number."""
        return int(self.directory.name)

    def text(self, name: str) -> str:
        """Return what is in a file of it; nothing when it has ended, or is somebody else's."""
        return _text(self.directory / name)


def children(parent: int) -> Iterator[Process]:
    """Yield the processes that one has started and that have not ended."""
    for entry in PROCESSES.iterdir():
        if entry.name.isdigit():
            after_name = _text(entry / "stat").rpartition(")")[2].split()
            if len(after_name) > 1 and int(after_name[1]) == parent:
                yield Process(entry, _text(entry / "cmdline").rstrip("\0 "))


def _text(file: Path) -> str:
    try:
        return read_text(file)
    except OSError:
        return ""
