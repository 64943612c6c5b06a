"""The node's own files in its data directory, which no recovery may remove."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgpool_recovery.agent.directory.place import workspaces_of
from pgpool_recovery.agent.directory.workspace import remove
from pgpool_recovery.domain.data_directory import LOG_DIRECTORIES, SMALL_BYTES, is_of_node
from pgpool_recovery.files.write import copy_attributes, copy_file, has_linked, sync

OWN = "own"
"""Where they wait in the workspace while the old data is gone and the new is not yet there."""

OWNERS = WHILE_IT_GROWS = 0o700


def own_directory(data_directory: Path) -> Path:
    """Return where the node's own files are now: in its data directory or in the workspace."""
    if own_entries(data_directory):
        return data_directory
    waiting = (workspace / OWN for workspace in workspaces_of(data_directory))
    return next((own for own in waiting if own.is_dir()), data_directory)


def own_entries(directory: Path) -> list[Path]:
    """Return the entries of a data directory that do not belong to the cluster."""
    if not os.access(directory, os.R_OK | os.X_OK):
        return []
    return [
        entry for entry in directory.iterdir() if is_of_node(entry.name) and not _is_special(entry)
    ]


def keep_own_files(source: Path, target: Path) -> None:
    """Put the own files of `source` into `target`, replacing entries of the same name.

    Links are kept as links. A file that is large or not readable is hard-linked into `target` where
    that is possible. So no program but the node's own server may write into one of the two: before
    pg_rewind and similar programs begin, `withdraw_own_files` removes the names from the directory
    that they change. Log directories that came from another node are removed.
    """
    own = own_entries(source)
    for entry in own:
        copy = target / entry.name
        remove(copy)
        _keep(entry, copy)
    for name in LOG_DIRECTORIES:
        if own and not (source / name).exists():
            remove(target / name)
    sync(target)


def withdraw_own_files(directory: Path) -> None:
    """Remove the own files from a directory that programs write into; the workspace keeps them.

    The primary's files of the same names then arrive as new files with their own modes, and nothing
    is written through a hard link to a file of the node (tests/faults/test_files_in_the_way.py).
    """
    own = own_entries(directory)
    for entry in own:
        remove(entry)
    if own:
        sync(directory)


def replace_own_files(source: Path, target: Path) -> None:
    """Give `target` the own files of `source` and no others."""
    names = {entry.name for entry in own_entries(source)}
    for entry in own_entries(target):
        if entry.name not in names:
            remove(entry)
    keep_own_files(source, target)


def _is_special(path: Path) -> bool:
    """Return whether it is a socket, a pipe or a device: not data, such as a server's socket."""
    mode = path.lstat().st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))


def _keep(source: Path, target: Path) -> None:
    """Copy or hard-link a file, a link or a directory with its contents, and make it durable."""
    if source.is_dir() and not source.is_symlink():
        target.mkdir(mode=WHILE_IT_GROWS)
        with _opened(source):
            for entry in source.iterdir():
                if not _is_special(entry):
                    _keep(entry, target / entry.name)
        sync(target)
        copy_attributes(source, target)
    elif not _has_second_name(source, target):
        copy_file(source, target)
        if not target.is_symlink():
            _close(target, of=source)
            sync(target)


def _close(copy: Path, *, of: Path) -> None:
    """Deny others the copy of another user's file that was readable by its group at most.

    A server accepts a key of root with mode 0640, but a key of its own only with mode 0600.
    """
    status = of.stat()
    if status.st_uid != os.geteuid() and not status.st_mode & stat.S_IRWXO:
        copy.chmod(stat.S_IMODE(status.st_mode) & OWNERS)


@contextmanager
def _opened(directory: Path) -> Iterator[None]:
    """Give a directory of ours, for the duration of the block, a mode that lets us read it."""
    status = directory.stat()
    needed = stat.S_IRUSR | stat.S_IXUSR
    if status.st_mode & needed == needed or status.st_uid != os.geteuid():
        yield
        return
    directory.chmod(status.st_mode | needed)
    try:
        yield
    finally:
        directory.chmod(status.st_mode)


def _has_second_name(source: Path, target: Path) -> bool:
    """Hard-link a file where that is better than a copy; return whether that was done."""
    status = source.lstat()
    is_better = status.st_size > SMALL_BYTES or not os.access(source, os.R_OK)
    if source.is_symlink() or not is_better:
        return False
    return has_linked(source, target)
