"""Whether the standby streams and has caught up, as the primary sees it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pgpool_recovery.domain.error import NotStreaming, Unverified
from pgpool_recovery.domain.event import megabytes
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import lsn_text
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.wal import read_wal

TICK_S = 0.1


@dataclass(frozen=True)
class Expected:
    """A standby that is to stream by a slot; how long it may take to begin, and to catch up."""

    name: str
    slot_name: str
    begin_s: float
    catch_up_s: float


def wait_until_streaming(
    connection: Connection,
    expected: Expected,
    read_log: Callable[[], str],
    on_tick: Callable[[], None] = lambda: None,
) -> None:
    """Wait until the standby has replayed what the primary has written by now.

    Only its own standby can use the slot, and it does when the settings that were written for it
    are those that the server follows. A position is on the primary's timeline: who has replayed it
    is on that one as well. `on_tick` is called while it is waited for. Raises Unverified with what
    is missing and the end of the standby's log.
    """
    position = lsn_text(read_wal(connection).written)
    began = time.monotonic()
    was_woken = False
    while True:
        standby = _look(connection, expected.slot_name, position)
        if standby is not None and standby["behind_bytes"] == 0:
            return
        if standby is not None and not was_woken:
            connection.rows("wake_standbys")
            was_woken = True
        patience = expected.begin_s if standby is None else expected.catch_up_s
        if time.monotonic() - began > patience:
            raise _missing(expected, standby, position, patience, read_log())
        on_tick()
        time.sleep(TICK_S)


def _look(connection: Connection, slot_name: str, position: str) -> dict[str, Any] | None:
    return next(iter(connection.rows("standby", name=slot_name, position=position)), None)


def _missing(
    expected: Expected, standby: dict[str, Any] | None, position: str, patience: float, log: str
) -> Unverified:
    end = f" The log of the standby ends:\n{log}" if log else ""
    if standby is None:
        return NotStreaming(
            f"{expected.name} runs, but does not stream from the primary",
            detail=f'Replication slot "{expected.slot_name}" is not in use after {patience:g} s.'
            + end,
            hint="Look at primary_conninfo and primary_slot_name as SHOW gives them there.",
            target=TargetState.STARTED,
        )
    return Unverified(
        f"{expected.name} streams, but has not caught up",
        detail=f"After {patience:g} s it has replayed up to {standby['replayed']} of {position}, "
        f"{megabytes(standby['behind_bytes'])} are missing.{end}",
        hint="Wait for it, then attach the node. catch_up_s in the settings says how long to wait.",
        target=TargetState.STARTED,
    )
