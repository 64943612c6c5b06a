"""The processes of this host, as proc_pid(5) has them. Of one that has ended, nothing is known."""

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
        """Its number."""
        return int(self.directory.name)

    @property
    def owner(self) -> int | None:
        """The user as whom it runs; None when it has ended."""
        try:
            return self.directory.stat().st_uid
        except OSError:
            return None

    @property
    def parent(self) -> int | None:
        """The process that has started it, or has taken it over; None when it has ended."""
        fields = self._after_name()
        return int(fields[1]) if len(fields) > 1 else None

    @property
    def has_ended(self) -> bool:
        """Whether it is gone, or only waits for its parent to take notice."""
        fields = self._after_name()
        return not fields or fields[0] in ("Z", "X")

    @property
    def words(self) -> list[str]:
        """Its command line; nothing when it has ended, or is the kernel's.

        Where a program has written a title in the place of it, that is in the first word.
        """
        text = self.text("cmdline")
        return text.removesuffix("\0").split("\0") if text else []

    def text(self, name: str) -> str:
        """Return what is in a file of it; nothing when it has ended, or is somebody else's."""
        try:
            return read_text(self.directory / name)
        except OSError:
            return ""

    def _after_name(self) -> list[str]:
        """Return the fields of proc_pid_stat(5) from the state on: a name may have blanks."""
        return self.text("stat").rpartition(")")[2].split()


def processes(table: Path = PROCESSES) -> Iterator[Process]:
    """Yield the processes that there are."""
    return (Process(entry) for entry in table.iterdir() if entry.name.isdigit())


def process_of(pid: int, table: Path = PROCESSES) -> Process:
    """Return a process by its number, be it there or not."""
    return Process(table / str(pid))
