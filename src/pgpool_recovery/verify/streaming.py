"""Whether the standby streams, as the primary sees it."""

import time
from collections.abc import Callable

from pgpool_recovery.domain.error import Unverified
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.postgres.connection import Connection

TICK_S = 0.1


def wait_until_streaming(
    connection: Connection,
    slot_name: str,
    *,
    target_name: str,
    timeout_s: float,
    read_log: Callable[[], str],
) -> None:
    """Wait until the node's slot is in use.

    Only its own standby can use it, and it does when the settings that were written for it are
    those that the server follows. Raises Unverified with the end of the standby's log.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if any(slot["is_active"] for slot in connection.rows("slot", name=slot_name)):
            return
        time.sleep(TICK_S)
    log = read_log()
    raise Unverified(
        f"{target_name} runs, but does not stream from the primary",
        detail=f'Replication slot "{slot_name}" is not in use after {timeout_s:g} s.'
        + (f" The log of the standby ends:\n{log}" if log else ""),
        hint="Look at primary_conninfo and primary_slot_name as SHOW gives them on the standby.",
        target=TargetState.STARTED,
    )
