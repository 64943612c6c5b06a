"""The steps that touch the primary."""

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.slots import drop_slot_once_free

END_WITHIN_S = 2.0
"""A session that was ended is gone in an instant; and the server gives a cancelled run less than
five seconds to undo all (STOPPING_DEADLINE_S in extension/python), so no setting raises this."""


def create_slot(connection: Connection, name: str) -> None:
    """Create a physical slot with its WAL reserved, in place of one that lost its WAL."""
    drop_own_slot(connection, name)
    connection.rows("create_slot", name=name)


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
    connection.rows("end_session", pid=pid, within_ms=int(1000 * END_WITHIN_S))


def drop_own_slot(connection: Connection, name: str) -> None:
    """Drop the slot that the plan gives to the node, when it is there."""
    why = drop_slot_once_free(connection, name, {name})
    if why is not None:
        raise Refused(f"replication slot {name} stays, because {why}")
