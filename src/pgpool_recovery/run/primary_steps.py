"""The steps that touch the primary."""

import time
from collections.abc import Mapping

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.wal import Point, parse_lsn
from pgpool_recovery.plan.step import CreateSlot
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.wal import hold_wal

DROP_DEADLINE_S = 2.0
"""A walsender that was ended is gone in an instant; and the server gives a cancelled run less than
five seconds to undo all (STOPPING_DEADLINE_S in extension/python), so no setting raises this."""
TICK_S = 0.1


def create_slot(connection: Connection, step: CreateSlot) -> None:
    """Create a physical slot with its WAL reserved, in place of one that lost its WAL."""
    if not step.is_new:
        return
    if connection.rows("slot", name=step.name):
        connection.rows("drop_slot", name=step.name)
    connection.rows("create_slot", name=step.name)


def hold(connection: Connection, slot_name: str, point: Point, conninfo: Mapping[str, str]) -> None:
    """Let a slot hold the WAL from a position on, unless it does."""
    slot = connection.row("slot", name=slot_name)
    if slot["restart_lsn"] is None or parse_lsn(slot["restart_lsn"]) > point.lsn:
        hold_wal(conninfo, slot_name, point)


def end_copy(connection: Connection, slot_name: str) -> None:
    """End the walsenders of a copy that has failed.

    Over a link that was lost they would stay until wal_sender_timeout, hold the slot, and so keep
    the next recovery of the node away.
    """
    connection.rows("end_copy", name=slot_name)


def end_session(connection: Connection, pid: int) -> None:
    """End a session of our own that was left in the middle of a query, and see it gone.

    It may be creating a slot just now, which nobody would find before and everybody after.
    """
    connection.rows("end_session", pid=pid, within_ms=int(1000 * DROP_DEADLINE_S))


def drop_slot(connection: Connection, name: str) -> None:
    """Drop a slot; a walsender that was ended may hold it a moment longer."""
    deadline = time.monotonic() + DROP_DEADLINE_S
    while True:
        try:
            connection.rows("drop_slot", name=name)
        except Unreachable:
            if time.monotonic() > deadline:
                raise
            time.sleep(TICK_S)
        else:
            return
