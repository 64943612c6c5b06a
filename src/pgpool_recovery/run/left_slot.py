"""The slot that we made for a node which streams by somebody else's now: it would keep WAL."""

from collections.abc import Collection

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.event import Emit, Said
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.slot import IN_USE
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.slots import drop_slot, slot_of_primary


def drop_left_slot(
    connection: Connection,
    target: Target,
    streams_by: str | None,
    emit: Emit,
    awaited: Collection[str] = (),
) -> None:
    """Drop it when the node has been seen to stream by another one: a first stage made that.

    One of `awaited`, for which logical decoding waits, stays.
    """
    if streams_by in (None, target.slot_name):
        return
    slot = slot_of_primary(connection, target.slot_name)
    if slot is None:
        return
    try:
        why = (
            "synchronized_standby_slots names it"
            if slot.name in awaited
            else drop_slot(connection, slot, {target.slot_name})
        )
    except Unreachable as error:
        why = f"it could not be dropped: {error.detail or error.message}"
    if why is None:
        told = f"dropped replication slot {slot.name}: {target.name} streams by {streams_by} now"
    elif why == IN_USE:
        return
    else:
        told = (
            f"replication slot {slot.name} stays, because {why}; {target.name} streams by "
            f"{streams_by} now. If nobody needs it: SELECT pg_drop_replication_slot('{slot.name}')"
        )
    emit(Said("primary", told))
