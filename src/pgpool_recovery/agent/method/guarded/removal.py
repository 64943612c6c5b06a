"""Remove from a data directory what was not sent, and what belongs to an earlier run."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pgpool_recovery.agent.directory.workspace import remove
from pgpool_recovery.agent.method.guarded.contents import Contents
from pgpool_recovery.domain.data_directory import (
    EMPTIED,
    EMPTIED_IN_WAL,
    GUARD_PREFIX,
    LOST_AND_FOUND,
    REMOVED_FROM_CHANGED,
    WAL,
)


def remove_unsent(contents: Contents, check: Callable[[], None]) -> None:
    """Remove everything that was not sent.

    `check` is called between removals and may raise to end them: a later run goes on.
    """
    for entry in list(_unsent(contents)):
        check()
        contents.files_removed += _count(entry)
        remove(entry)
        contents.directories.add(entry.parent)
    for name in EMPTIED:
        _empty(contents.data_directory / name, check)
    for name in REMOVED_FROM_CHANGED:
        remove(contents.data_directory / name)


def _unsent(contents: Contents) -> Iterator[Path]:
    for path, directory in contents.tops():
        yield from _unsent_in(path, directory, contents.paths)


def _unsent_in(path: str, directory: Path, sent: set[str]) -> Iterator[Path]:
    """Yield what was not sent; follow no link, and do not descend into a directory that goes."""
    if not directory.is_dir():
        return
    with os.scandir(directory) as entries:
        found = list(entries)
    for entry in found:
        inner = f"{path}/{entry.name}"
        if entry.name.startswith(GUARD_PREFIX) or entry.name == LOST_AND_FOUND:
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
        if entry.name in EMPTIED_IN_WAL and directory.name == WAL and entry.is_dir():
            _empty(entry, check)
        elif entry.name != LOST_AND_FOUND:
            remove(entry)
