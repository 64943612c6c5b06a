"""One recovery of a target at a time, whoever asked for it: a lock on the target's own host."""

import fcntl
import os
import time
from pathlib import Path

from pgpool_recovery.domain.error import Busy
from pgpool_recovery.files.write import open_lock_file

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


def lock(workspace: Path) -> int:
    """Take the lock of a workspace that exists; return the descriptor that holds it.

    The kernel gives the lock back when the process ends, however it ends (flock(2)).
    """
    descriptor = open_lock_file(workspace / LOCK_NAME)
    for _ in range(TRIES):
        if _try_lock(descriptor, fcntl.LOCK_EX):
            return descriptor
        time.sleep(BETWEEN_S)
    os.close(descriptor)
    raise Busy("another recovery of this node is running", hint="Wait for it, or cancel it.")


def unlock(descriptor: int) -> None:
    """Give the lock back."""
    os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
