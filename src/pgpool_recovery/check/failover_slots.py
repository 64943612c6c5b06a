"""Whether logical replication outlives a failover: failover slots, and what they wait for (17+)."""

from collections.abc import Iterator

from pgpool_recovery.check.estimates import on
from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.check.report import Report
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.slot import LOST, slot_names
from pgpool_recovery.facts.facts import Slot
from pgpool_recovery.facts.node import NodeFacts, ServerFacts

AWAITED = "synchronized_standby_slots"
FEEDBACK = "hot_standby_feedback"
SYNC = "sync_replication_slots"
IDLE = "idle_replication_slot_timeout"


def failover_slots(report: Report) -> Iterator[Finding]:
    """Look at the primary's failover slots on each standby, and at what is set for them."""
    if report.primary_place is None:
        return
    wanted = [
        slot
        for slot in report.primary.slots
        if slot.is_failover and not slot.is_temporary and slot.wal_status != LOST
    ]
    for place, target, node in report.reached():
        server = node.surroundings.server
        if place != report.primary_place and server is not None and server.is_in_recovery:
            for slot in wanted:
                yield from _on_standby(target, node, server, slot)
    primary = report.server(report.primary_place)
    if primary is not None:
        target = report.target(report.primary_place)
        yield from _awaited(report, target, primary)
        yield from _idle(report, target, primary)


def _on_standby(
    target: Target, node: NodeFacts, server: ServerFacts, wanted: Slot
) -> Iterator[Finding]:
    """Say that a failover to this standby loses a slot, and why."""
    found = next((slot for slot in server.slots if slot.name == wanted.name), None)
    if found is not None and found.is_synced and not _is_unready(found):
        return
    why, advice = (
        _why_missing(target, node, server) if found is None else _why_unready(target, found)
    )
    yield Finding(
        Kind.FAILOVER_SLOT,
        target.node_id,
        f"failover slot {wanted.name} would be gone after a failover to {target.name}: {why}",
        advice,
    )


def _is_unready(slot: Slot) -> bool:
    return slot.is_temporary or slot.wal_status == LOST


def _why_unready(target: Target, slot: Slot) -> tuple[str, str]:
    if not slot.is_synced:
        why = "a slot of its own has that name, for which synchronisation fails at each try"
        advice = "A recovery of the node drops it when it is from its time as primary. Otherwise, "
        return why, f"{advice}{on(target)}: SELECT pg_drop_replication_slot('{slot.name}')"
    if slot.is_temporary:
        why = "it is synchronised, and still temporary, since the standby lacks WAL or rows for it"
        return why, "It becomes ready when its subscriber gets on. See that the subscription runs."
    why = f'it was invalidated there ("{slot.invalidation_reason or slot.wal_status}")'
    causes = f"max_slot_wal_keep_size, {IDLE} and wal_level of the node"
    return why, f"It is made anew by itself, unless the cause stays: {causes}."


def _why_missing(target: Target, node: NodeFacts, server: ServerFacts) -> tuple[str, str]:
    own = node.facts.target.configuration
    if not server.is_on(SYNC):
        return f"{SYNC} is off there", _turn_on(target, SYNC)
    if own is not None and not own.primary_conninfo.get("dbname"):
        why = "its primary_conninfo names no database, so that no slots are synchronised"
        advice = "A recovery of the node writes it. Until then add dbname=postgres to its "
        return why, f"{advice}primary_conninfo, and reload."
    if not server.is_on(FEEDBACK):
        return f"{FEEDBACK} is off there, so that no slots are synchronised", _turn_on(
            target, FEEDBACK
        )
    advice = "Look into the log of the node for the slot sync worker: it says why."
    return "it is not synchronised", advice


def _turn_on(target: Target, name: str) -> str:
    return f"{on(target)}: ALTER SYSTEM SET {name} = on, and reload. Set it on every node."


def _awaited(report: Report, target: Target, primary: ServerFacts) -> Iterator[Finding]:
    """Say for which standbys logical decoding waits that do not stream."""
    slots = {slot.name: slot for slot in report.primary.slots}
    for name in slot_names(primary.settings.get(AWAITED, "")):
        slot = slots.get(name)
        if slot is not None and slot.is_active:
            continue
        state = "does not exist" if slot is None else "is not in use"
        yield Finding(
            Kind.AWAITED_SLOT,
            target.node_id,
            f"{AWAITED} of {target.name} names replication slot {name}, which {state}: logical "
            "decoding of failover slots waits for it, so that their subscribers get nothing and "
            "WAL stays",
            f"Recover its node. Or take the name out, {on(target)}: ALTER SYSTEM SET {AWAITED}, "
            "and reload.",
        )


def _idle(report: Report, target: Target, primary: ServerFacts) -> Iterator[Finding]:
    """Say which slots of nodes that are away will end by having been idle (18)."""
    timeout_s = primary.number(IDLE)
    if timeout_s <= 0:
        return
    for slot in report.primary.slots:
        is_waiting = slot.is_physical and not slot.is_active and slot.wal_status != LOST
        if is_waiting and not slot.is_temporary:
            yield Finding(
                Kind.IDLE_SLOT,
                target.node_id,
                f"replication slot {slot.name} of {target.name} is not in use: the first "
                f"checkpoint {timeout_s} s after its node left ends it ({IDLE}), and the "
                f"{pretty_size(slot.kept_bytes)} of WAL go that it keeps",
                "Recover its node before. What comes later needs more than WAL, and makes the slot "
                "anew.",
            )
