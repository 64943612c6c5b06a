"""Drop the slot created for a node that now streams from another: unused, it would retain WAL."""

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
    """Drop the node's own slot if the node was verified to stream from another one.

    The first stage of such a recovery created it. A slot in `awaited` is kept, since logical
    decoding waits for it.
    """
    if streams_by in (None, target.slot_name):
        return
    slot = slot_of_primary(connection, target.slot_name)
    if slot is None:
        return
    try:
        why = (
            "synchronized_standby_slots lists it"
            if slot.name in awaited
            else drop_slot(connection, slot, {target.slot_name})
        )
    except Unreachable as error:
        why = f"it could not be dropped: {error.detail or error.message}"
    if why is None:
        told = f"dropped replication slot {slot.name}: {target.name} now streams from {streams_by}"
    elif why == IN_USE:
        return
    else:
        told = (
            f"replication slot {slot.name} stays, because {why}; {target.name} now streams "
            f"from {streams_by}. If it is no longer needed: "
            f"SELECT pg_drop_replication_slot('{slot.name}')"
        )
    emit(Said("primary", told))
