"""The permit of the processes that write into a target for the agent that holds its lock.

A permit is a file in the workspace that contains the token of one run. Who wants to write holds it
with a shared lock (flock(2)) until it ends, and must know the token. A later run takes the lock
exclusively before it does anything, so it waits for writers that were left alone, and then puts
another token there, or none. So no writer of an earlier run writes into a later one.
"""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

from pgpool_recovery.domain.error import Busy, Refused
from pgpool_recovery.files.write import open_lock_file
from pgpool_recovery.log.note import waits

PERMIT_NAME = "permit"
BETWEEN_S = 0.05
MAX_TOKEN_BYTES = 100
NO_LONGER = "this run may no longer write into the target"


def issue_permit(workspace: Path, *, within_s: float, check: Callable[[], None]) -> str:
    """Wait until nobody writes, and return the token of those that may from now on.

    `check` is called meanwhile and may raise. Raises Busy if writers have not ended by then.
    """
    token = os.urandom(16).hex()
    descriptor = open_lock_file(workspace / PERMIT_NAME)
    try:
        _wait_for_writers(descriptor, within_s, check)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, token.encode(), 0)
    finally:
        os.close(descriptor)
    return token


def withdraw_permit(workspace: Path, *, within_s: float, check: Callable[[], None]) -> None:
    """Wait until nobody writes, and let nobody write from then on; nothing if there is no permit.

    Raises Busy if writers have not ended by then. The token is gone even then, so that none begins.
    """
    try:
        descriptor = open_lock_file(workspace / PERMIT_NAME, mode=None)
    except FileNotFoundError:
        return
    try:
        os.ftruncate(descriptor, 0)
        _wait_for_writers(descriptor, within_s, check)
        (workspace / PERMIT_NAME).unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def hold_permit(permit: Path, token: str) -> int:
    """Return a descriptor that holds a permit until it is closed; raise Refused without one."""
    from hmac import compare_digest  # Only a receiver needs it.

    try:
        descriptor = open_lock_file(permit, mode=None)
    except FileNotFoundError as error:
        raise Refused(NO_LONGER) from error
    try:
        # Whoever holds it exclusively is about to put another token there.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        found = os.pread(descriptor, MAX_TOKEN_BYTES, 0)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Refused(NO_LONGER) from error
    except BaseException:
        os.close(descriptor)
        raise
    if not token or not compare_digest(found, token.encode()):
        os.close(descriptor)
        raise Refused(NO_LONGER)
    return descriptor


@waits("for the processes that write into the target")
def _wait_for_writers(descriptor: int, within_s: float, check: Callable[[], None]) -> None:
    deadline = time.monotonic() + within_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            check()
            if time.monotonic() > deadline:
                raise Busy(
                    "an earlier recovery of this node still writes into its data",
                    detail=f"It has not ended within {within_s:g} s.",
                    hint="Wait for it, or end the processes of pgpool-recovery on that host.",
                ) from None
            time.sleep(BETWEEN_S)
        else:
            return
