"""One recovery of a target at a time, whoever asked for it: a lock on the target's own host."""

import fcntl
import os
from pathlib import Path

from pgpool_recovery.domain.error import Busy

LOCK_NAME = "lock"


def is_locked(workspace: Path) -> bool:
    """Say whether another agent holds the workspace."""
    try:
        descriptor = os.open(workspace / LOCK_NAME, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor)
    finally:
        os.close(descriptor)


def lock(workspace: Path) -> int:
    """Take the lock of a workspace that exists; return the descriptor that holds it.

    The kernel gives the lock back when the process ends, however it ends (flock(2)).
    """
    descriptor = os.open(workspace / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    if not _try_lock(descriptor):
        os.close(descriptor)
        raise Busy("another recovery of this node is running", hint="Wait for it, or cancel it.")
    return descriptor


def unlock(descriptor: int) -> None:
    """Give the lock back."""
    os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
