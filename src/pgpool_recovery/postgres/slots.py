"""Drop replication slots; no other module does (ci/rules/slot_drops.py)."""

import time
from collections.abc import Collection

from pgpool_recovery.domain.error import QueryRefused, Unreachable
from pgpool_recovery.domain.pause import pause_s
from pgpool_recovery.domain.slot import (
    IN_USE,
    FormerSlot,
    SlotState,
    why_kept,
    why_kept_by_standby,
)
from pgpool_recovery.log.note import waits
from pgpool_recovery.postgres.connection import Connection

FREE_WITHIN_S = 2.0
TICK_S = 0.1


def drop_slot(connection: Connection, slot: SlotState, names: Collection[str]) -> str | None:
    """Drop a slot of one of these names if that is allowed; else return why it was kept."""
    why = why_kept(slot, names)
    if why is None:
        connection.rows("drop_slot", name=slot.name)
    return why


def drop_former_slots(
    connection: Connection, failover_slots: Collection[str]
) -> tuple[FormerSlot, ...]:
    """Drop the slots that a standby has from its own time as primary, if that is allowed.

    Return all of its slots that are neither synchronised nor in use, dropped or not. For a primary
    that is none.
    """
    found = []
    for row in connection.rows("standby_slots"):
        slot = SlotState(row["name"], row["is_physical"], row["is_active"], row["is_failover"])
        why = why_kept_by_standby(slot, failover_slots)
        if why is None:
            connection.rows("drop_slot", name=slot.name)
        if why != IN_USE:
            found.append(FormerSlot(slot.name, why, row["kept_bytes"], row["holds_xmin"]))
    return tuple(found)


@waits("the slot to be free and dropped")
def drop_slot_once_free(
    connection: Connection, name: str, names: Collection[str], *, within_s: float = FREE_WITHIN_S
) -> str | None:
    """Drop a slot of the primary; a WAL sender that was just ended may still hold it briefly.

    Return why it was not dropped; None when it was, or does not exist.
    """
    began = time.monotonic()
    while True:
        slot = slot_of_primary(connection, name)
        if slot is None:
            return None
        try:
            why = drop_slot(connection, slot, names)
        except QueryRefused:
            raise
        except Unreachable:
            if time.monotonic() - began > within_s:
                raise
        else:
            if why != IN_USE or time.monotonic() - began > within_s:
                return why
        time.sleep(pause_s(time.monotonic() - began, TICK_S))


def slot_of_primary(connection: Connection, name: str) -> SlotState | None:
    """Return a slot of the primary; None when there is none of that name."""
    for row in connection.rows("slot", name=name):
        return SlotState(name, is_physical=row["is_physical"], is_active=row["is_active"])
    return None
