"""Remove from a data directory what is not in the backup, and what belongs to an earlier run."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pgpool_recovery.agent.directory.workspace import NOT_DATA, remove
from pgpool_recovery.agent.method.incremental.guard import PREFIX
from pgpool_recovery.agent.method.incremental.received import EMPTIED, REPLACED, Received

KEPT_IN_WAL = ("archive_status", "summaries")
REMOVED_FILES = (
    "backup_label.old",
    "backup_manifest",
    "postmaster.opts",
    "postmaster.pid",
    "recovery.signal",
    "tablespace_map",
    "tablespace_map.old",
)
"""Files that describe another backup or another run of the server."""


def remove_unsent(received: Received, check: Callable[[], None]) -> None:
    """Remove everything that is not in the backup.

    `check` is called between removals and may raise to end them: a later run goes on.
    """
    for entry in list(_unsent(received)):
        check()
        received.counts.files_removed += _count(entry)
        remove(entry)
        received.directories.add(entry.parent)
    for name in EMPTIED:
        _empty(received.data_directory / name, check)
    for name in REMOVED_FILES:
        remove(received.data_directory / name)


def _unsent(received: Received) -> Iterator[Path]:
    tops = [(name, received.data_directory / name) for name in REPLACED]
    for oid, location in received.tablespaces.items():
        version_directory = received.stale.version_directory
        tops.append((f"pg_tblspc/{oid}/{version_directory}", location / version_directory))
    for path, directory in tops:
        yield from _unsent_in(path, directory, received.paths)


def _unsent_in(path: str, directory: Path, sent: set[str]) -> Iterator[Path]:
    """Yield what was not sent; follow no link, and do not descend into a directory that goes."""
    if not directory.is_dir():
        return
    with os.scandir(directory) as entries:
        found = list(entries)
    for entry in found:
        inner = f"{path}/{entry.name}"
        if entry.name.startswith(PREFIX) or entry.name == NOT_DATA:
            continue
        if inner not in sent:
            yield Path(entry.path)
        elif entry.is_dir(follow_symlinks=False):
            yield from _unsent_in(inner, Path(entry.path), sent)


def _count(entry: Path) -> int:
    if entry.is_symlink() or not entry.is_dir():
        return 1
    return sum(len(files) for _, _, files in os.walk(entry))


def _empty(directory: Path, check: Callable[[], None]) -> None:
    """Remove the contents of a directory, which may be reached by a link or be a mount point."""
    if not directory.is_dir():
        return
    for entry in directory.iterdir():
        check()
        if entry.name in KEPT_IN_WAL and directory.name == "pg_wal" and entry.is_dir():
            _empty(entry, check)
        elif entry.name != NOT_DATA:
            remove(entry)
