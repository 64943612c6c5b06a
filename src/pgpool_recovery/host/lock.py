"""Lock a target on its own host, so only one recovery at a time works on it, whoever starts it."""

import errno
import fcntl
import os
import time
from pathlib import Path

from pgpool_recovery.domain.error import Busy
from pgpool_recovery.files.write import open_lock_file
from pgpool_recovery.log.note import waits

LOCK_NAME = "lock"
TRIES, BETWEEN_S = 10, 0.05
"""`is_locked` itself holds the lock for an instant; retry so that it is not mistaken for a
recovery."""


def is_locked(workspace: Path) -> bool:
    """Return whether another agent holds the lock of a workspace."""
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
    """Lock an existing workspace; return the descriptor that holds the lock.

    The kernel releases the lock when the process ends, however it ends (flock(2)). Raises Busy when
    another agent holds it, and FileNotFoundError when its former holder has removed the workspace.
    """
    for _ in range(TRIES):
        descriptor = open_lock_file(workspace / LOCK_NAME)
        if _try_lock(descriptor, fcntl.LOCK_EX):
            # The former holder may have removed the file since it was opened; then our lock would
            # not exclude anyone (test_promise_6_at_the_end_of_another_recovery).
            if _is_still(workspace / LOCK_NAME, descriptor):
                return descriptor
            os.close(descriptor)
        else:
            os.close(descriptor)
            time.sleep(BETWEEN_S)
    raise Busy("another recovery of this node is running", hint="Wait for it, or cancel it.")


def unlock(descriptor: int) -> None:
    """Release the lock."""
    os.close(descriptor)


def remove_lock(workspace: Path) -> None:
    """Remove the lock file and the workspace, which is otherwise empty.

    After that another agent may lock a new file, so this must be the last thing that the holder
    does there. If another agent has already created its file, the directory stays.
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
