"""One recovery of a target at a time, whoever asked for it: a lock on the target's own host."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgpool_recovery.domain.error import Busy
from pgpool_recovery.files.write import open_lock_file
from pgpool_recovery.log.note import waits

LOCK_NAME = "lock"
TRIES, BETWEEN_S = 10, 0.05
"""Who only looks holds the lock for an instant, in which it must not be taken for a recovery."""


def is_locked(workspace: Path) -> bool:
    """Say whether another agent holds the workspace."""
    try:
        descriptor = open_lock_file(workspace / LOCK_NAME, mode=None)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


@waits("the lock of the target")
def lock(workspace: Path) -> int:
    """Take the lock of a workspace that exists; return the descriptor that holds it.

    The kernel gives the lock back when the process ends, however it ends (flock(2)). Raises
    FileNotFoundError when whoever held it has removed the workspace meanwhile.
    """
    for _ in range(TRIES):
        descriptor = open_lock_file(workspace / LOCK_NAME)
        if _try_lock(descriptor, fcntl.LOCK_EX):
            # A lock on a file that its former holder has removed since keeps nobody out
            # (test_promise_6_at_the_end_of_another_recovery).
            if _is_still(workspace / LOCK_NAME, descriptor):
                return descriptor
            os.close(descriptor)
        else:
            os.close(descriptor)
            time.sleep(BETWEEN_S)
    raise Busy("another recovery of this node is running", hint="Wait for it, or cancel it.")


def unlock(descriptor: int) -> None:
    """Give the lock back."""
    os.close(descriptor)


@contextmanager
def holding(workspace: Path) -> Iterator[bool]:
    """Hold the lock of a workspace in the block; yield whether the workspace is still there."""
    try:
        held = lock(workspace)
    except FileNotFoundError:
        yield False
        return
    try:
        yield True
    finally:
        unlock(held)


def remove_lock(workspace: Path) -> None:
    """Remove the lock's file and the workspace, in which nothing else is any more.

    From that on the next one may lock a new file, so it is the last thing that its holder does
    there; one who has begun already keeps the directory.
    """
    (workspace / LOCK_NAME).unlink(missing_ok=True)
    try:
        workspace.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            raise


def _is_still(file: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
