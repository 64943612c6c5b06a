"""Forget what the system has cached of data that an interrupted run left half changed.

What the kernel could not write it keeps in its cache as if it had, and the next fsync(2) succeeds
(data_sync_retry in runtime-config-error-handling.html). A method that compares files would find in
the cache what the disk does not have, believe it, and write it never again. Which program the disk
has failed is not known afterwards: it may have been pg_rewind, pgbackrest, or this agent. So
whatever goes on with such data reads it from the disk.
"""

import os
from collections.abc import Callable
from pathlib import Path

from pgpool_recovery.agent.method.data_files import data_directories


def forget_cached(data_directory: Path, got_on: Callable[[], None]) -> None:
    """Drop the files of the data from the cache; `got_on` is called after each, and may raise.

    What waits to be written stays in the cache: that can still fail, and whoever syncs it then is
    told. Raises OSError with the name of a file that cannot be opened. A filesystem with a cache of
    its own (ZFS) may keep it.
    """
    for top in data_directories(data_directory, major=None):
        for directory, _, names in os.walk(top):
            for name in names:
                _forget(Path(directory, name))
                got_on()


def _forget(file: Path) -> None:
    if not file.is_file() or file.is_symlink():
        return
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
