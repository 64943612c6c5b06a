"""The processes of this host, from proc_pid(5); nothing is known of one that has ended."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pgpool_recovery.files.text import read_text

PROCESSES = Path("/proc")


class Process(NamedTuple):
    """A process, by its directory in /proc."""

    directory: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return int(self.directory.name)

    @property
    def owner(self) -> int | None:
        """The user id that it runs as; None if it has ended."""
        try:
            return self.directory.stat().st_uid
        except OSError:
            return None

    @property
    def parent(self) -> int | None:
        """The process id of its parent, or of the process that adopted it; None if it has ended."""
        fields = self._after_name()
        return int(fields[1]) if len(fields) > 1 else None

    @property
    def has_ended(self) -> bool:
        """Whether it is gone, or a zombie that its parent has not yet reaped."""
        fields = self._after_name()
        return not fields or fields[0] in ("Z", "X")

    @property
    def words(self) -> list[str]:
        """Its command line; empty if it has ended, or is a kernel thread.

        If the program replaced its command line by a title, the title is the first word.
        """
        text = self.text("cmdline")
        return text.removesuffix("\0").split("\0") if text else []

    def text(self, name: str) -> str:
        """Return the contents of one of its files; empty if it has ended or we may not read it."""
        try:
            return read_text(self.directory / name)
        except OSError:
            return ""

    def _after_name(self) -> list[str]:
        """Return the fields of proc_pid_stat(5) from the state on; the name may contain spaces."""
        return self.text("stat").rpartition(")")[2].split()


def processes(table: Path = PROCESSES) -> Iterator[Process]:
    """Yield the processes that exist."""
    return (Process(entry) for entry in table.iterdir() if entry.name.isdigit())


def process_of(pid: int, table: Path = PROCESSES) -> Process:
    """Return a process by its id, whether it exists or not."""
    return Process(table / str(pid))
