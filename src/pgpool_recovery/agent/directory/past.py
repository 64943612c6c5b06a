"""Remove from a data directory all WAL that is not of the primary's past, and undo that."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pgpool_recovery.agent.directory.modes import file_mode
from pgpool_recovery.agent.directory.swap import WAL
from pgpool_recovery.agent.directory.workspace import make_directory, remove
from pgpool_recovery.domain.error import Refused, Undone
from pgpool_recovery.domain.wal import Lsn, TimelineId, segment_of_file
from pgpool_recovery.facts.own_wal import history_file, timeline_of
from pgpool_recovery.facts.step.standby import KeepToPast
from pgpool_recovery.files.write import move, sync, write_file

NOT_IN_HISTORY = "# The primary was never on timeline {}. This file fills the gap in the numbers.\n"
"""PostgreSQL skips lines that begin with # (readTimeLineHistory in timeline.c)."""


@dataclass
class MovedWal:
    """What was done to a pg_wal, step by step, so that it can be undone from any point."""

    pg_wal: Path
    aside: Path
    names: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def restore(self) -> None:
        """Put all files back; if the directory no longer exists, they stay aside."""
        if not self.pg_wal.is_dir():
            return
        while self.written:  # Only once: the node's own file of that name may come back next.
            remove(self.pg_wal / self.written[-1])
            self.written.pop()
        while self.names:
            move(self.aside / self.names[-1], self.pg_wal / self.names[-1])
            self.names.pop()
        sync(self.pg_wal)
        for directory in (self.aside, self.aside.parent):
            if directory.is_dir() and not any(directory.iterdir()):
                directory.rmdir()


class PastSource(Protocol):
    """Where files of the primary's pg_wal come from (postgres/wal_stream.py)."""

    def history(self, timeline: TimelineId) -> bytes | None:
        """Return the contents of a history file; None if there is none for that timeline."""

    def segment(self, timeline: TimelineId, begin: Lsn, size_bytes: int) -> bytearray:
        """Return the first bytes of a segment, as far as they have been flushed."""


def without_archive(name: str) -> bytes:
    """Refuse to fetch a file from an archive, for steps that name none."""
    raise Refused(f"no archive was given for {name}")


def keep_to_past(
    step: KeepToPast,
    source: PastSource,
    moved: MovedWal,
    archived: Callable[[str], bytes] = without_archive,
) -> None:
    """Move the files away and write the primary's; `moved` records each effect.

    `archived` returns a whole file from the archive. Everything has been received before the first
    file is moved. A crash after that leaves a directory with less WAL than before, and nothing
    else: the next plan is made from what is there, and the moved files wait in the workspace.
    Raises Undone when the primary lacks a history file.
    """
    new = {**_histories(step, source), **_segments(step, source)}
    new |= {name: archived(name) for name in step.archived}
    for name in step.moved:
        if (moved.pg_wal / name).exists():
            make_directory(moved.aside)
            move(moved.pg_wal / name, moved.aside / name)
            moved.names.append(name)
    if moved.names:
        sync(moved.aside)
    for name, contents in new.items():
        moved.written.append(name)
        write_file(moved.pg_wal / name, contents, mode=file_mode(Path(step.directory)))
    sync(moved.pg_wal)


def begin(step: KeepToPast) -> MovedWal:
    """Return where the files of a step go; files that an earlier run moved are left alone."""
    aside = Path(step.places.data.workspace) / WAL
    numbers = [int(entry.name) for entry in aside.iterdir()] if aside.is_dir() else []
    return MovedWal(Path(step.directory) / "pg_wal", aside / str(max(numbers, default=0) + 1))


def _histories(step: KeepToPast, source: PastSource) -> dict[str, bytes]:
    files = dict[str, bytes]()
    for timeline in sorted((*step.histories, *step.gaps)):
        contents = source.history(timeline)
        if contents is None:
            if timeline in step.histories:
                raise Undone(f"the primary has no file {history_file(timeline)}")
            contents = NOT_IN_HISTORY.format(timeline).encode()
        files[history_file(timeline)] = contents
    return files


def _segments(step: KeepToPast, source: PastSource) -> dict[str, bytes]:
    """Return WAL files, filled up with zeros, as in a new file of a server."""
    files = dict[str, bytes]()
    sizes = step.sizes or (step.segment_bytes,) * len(step.fetched)
    for name, size_bytes in zip(step.fetched, sizes, strict=True):
        begins = Lsn(segment_of_file(name, step.segment_bytes) * step.segment_bytes)
        contents = source.segment(TimelineId(timeline_of(name)), begins, size_bytes)
        files[name] = bytes(contents.ljust(step.segment_bytes, b"\0"))
    return files
