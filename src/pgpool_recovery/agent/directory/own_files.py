"""The node's own files in its data directory, which no recovery may take away."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgpool_recovery.agent.directory.place import workspaces_of
from pgpool_recovery.agent.directory.workspace import remove
from pgpool_recovery.files.write import copy_attributes, copy_file, has_linked, sync
from pgpool_recovery.host.data_directory import CLUSTER_ENTRIES, SMALL_BYTES

OWN = "own"
"""Where they wait in the workspace while the old data is gone and the new not yet there."""

OWNERS = WHILE_IT_GROWS = 0o700
LOG_DIRECTORIES = ("log", "pg_log")


def own_directory(data_directory: Path) -> Path:
    """Return where the node's own files are now: in its data directory, or waiting."""
    if own_entries(data_directory):
        return data_directory
    waiting = (workspace / OWN for workspace in workspaces_of(data_directory))
    return next((own for own in waiting if own.is_dir()), data_directory)


def own_entries(directory: Path) -> list[Path]:
    """Return what stands in a data directory and is not the cluster's."""
    if not os.access(directory, os.R_OK | os.X_OK):
        return []
    return [
        entry
        for entry in directory.iterdir()
        if entry.name not in CLUSTER_ENTRIES and not _is_special(entry)
    ]


def keep_own_files(source: Path, target: Path) -> None:
    """Put the own files of `source` into `target`, in place of what bears the same name.

    Links are kept as links. What is large, or may not be read, gets a second name in `target` where
    that is possible. So one of the two has to be a directory into which no program but the node's
    own server writes: before pg_rewind and the like begin, `withdraw_own_files` takes the names out
    of theirs. Log directories that came from another node go.
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
    """Take the own files out of a directory that others write into; they wait in the workspace.

    What bears their names on the primary comes as new files then, with modes of its own, and
    writes through no name into a file of the node (tests/faults/test_files_in_the_way.py).
    """
    own = own_entries(directory)
    for entry in own:
        remove(entry)
    if own:
        sync(directory)


def replace_own_files(source: Path, target: Path) -> None:
    """Give `target` the own files of `source`, and no others."""
    names = {entry.name for entry in own_entries(source)}
    for entry in own_entries(target):
        if entry.name not in names:
            remove(entry)
    keep_own_files(source, target)


def _is_special(path: Path) -> bool:
    """Say whether it is a socket, a pipe or a device, such as a server's socket and no data."""
    mode = path.lstat().st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))


def _keep(source: Path, target: Path) -> None:
    """Bring a file, a link or a directory with all that is in it to a new place, to last there."""
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
    """Let nobody else read the copy of somebody else's file that was open to a group at most.

    A server takes a key of root with mode 0640, but one of its own with mode 0600 only.
    """
    status = of.stat()
    if status.st_uid != os.geteuid() and not status.st_mode & stat.S_IRWXO:
        copy.chmod(stat.S_IMODE(status.st_mode) & OWNERS)


@contextmanager
def _opened(directory: Path) -> Iterator[None]:
    """Give a directory of ours, for the time, a mode that lets us look into it."""
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
    """Give a file a second name rather than to copy it, where that is better and possible."""
    status = source.lstat()
    is_better = status.st_size > SMALL_BYTES or not os.access(source, os.R_OK)
    if source.is_symlink() or not is_better:
        return False
    return has_linked(source, target)
