"""Take the steps that change the primary."""

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.slots import drop_slot_once_free

END_WITHIN_S = 2.0
"""A terminated session is gone in an instant, and the server gives a cancelled run less than five
seconds to undo everything (STOPPING_DEADLINE_S in extension/python). So no setting changes this."""


def create_slot(connection: Connection, name: str) -> None:
    """Create a physical slot with its WAL reserved, in place of one that lost its WAL."""
    drop_own_slot(connection, name)
    connection.rows("create_slot", name=name)


def end_copy(connection: Connection, slot_name: str) -> None:
    """Terminate the WAL senders of a copy that has failed.

    After a lost link they would stay until wal_sender_timeout and hold the slot, so the next
    recovery of the node would be refused.
    """
    connection.rows("end_copy", name=slot_name)


def end_session(connection: Connection, pid: int) -> None:
    """Terminate a session of ours that was interrupted in a query, and wait until it is gone.

    It may be creating a slot at this moment, which would appear only after we had looked for it.
    """
    connection.rows("end_session", pid=pid, within_ms=int(1000 * END_WITHIN_S))


def drop_own_slot(connection: Connection, name: str) -> None:
    """Drop the slot that the plan assigns to the node, if it exists; raise Refused if it stays."""
    why = drop_slot_once_free(connection, name, {name})
    if why is not None:
        raise Refused(f"could not drop replication slot {name}: {why}")
