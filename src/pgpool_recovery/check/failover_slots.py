"""Whether logical replication survives a failover: failover slots and what they wait for (17+)."""

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
    """Check the primary's failover slots on each standby, and the settings for them."""
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
    """Report that a failover to this standby would lose a slot, and why."""
    found = next((slot for slot in server.slots if slot.name == wanted.name), None)
    if found is not None and found.is_synced and not _is_unready(found):
        return
    why, advice = (
        _why_missing(target, node, server) if found is None else _why_unready(target, found)
    )
    yield Finding(
        Kind.FAILOVER_SLOT,
        target.node_id,
        f"failover slot {wanted.name} would be lost by a failover to {target.name}: {why}",
        advice,
    )


def _is_unready(slot: Slot) -> bool:
    return slot.is_temporary or slot.wal_status == LOST


def _why_unready(target: Target, slot: Slot) -> tuple[str, str]:
    if not slot.is_synced:
        why = "the node has a slot of its own with that name, so synchronisation fails at each try"
        advice = "A recovery of the node drops it if it dates from the node's time as primary. "
        drop = f"SELECT pg_drop_replication_slot('{slot.name}')"
        return why, f"{advice}Otherwise, on {target.host}: {drop}"
    if slot.is_temporary:
        why = "it is synchronised but still temporary, because the standby lacks WAL or rows for it"
        return why, (
            "It becomes ready when its subscriber advances. Check that the subscription is running."
        )
    why = f'it was invalidated there ("{slot.invalidation_reason or slot.wal_status}")'
    causes = f"max_slot_wal_keep_size, {IDLE} and wal_level of the node"
    return why, f"It is created again automatically, unless the cause remains: {causes}."


def _why_missing(target: Target, node: NodeFacts, server: ServerFacts) -> tuple[str, str]:
    own = node.facts.target.configuration
    if not server.is_on(SYNC):
        return f"{SYNC} is off there", _turn_on(target, SYNC)
    if own is not None and not own.primary_conninfo.get("dbname"):
        why = "its primary_conninfo names no database, so no slots are synchronised"
        advice = "A recovery of the node writes it. Until then, add dbname=postgres to its "
        return why, f"{advice}primary_conninfo, and reload."
    if not server.is_on(FEEDBACK):
        return f"{FEEDBACK} is off there, so no slots are synchronised", _turn_on(target, FEEDBACK)
    advice = "Check the log of the node for messages of the slot sync worker, which says why."
    return "it is not synchronised", advice


def _turn_on(target: Target, name: str) -> str:
    return f"{on(target)}: ALTER SYSTEM SET {name} = on, and reload. Set it on every node."


def _awaited(report: Report, target: Target, primary: ServerFacts) -> Iterator[Finding]:
    """Report the slots that logical decoding waits for and that no standby uses."""
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
            "decoding of failover slots waits for it, so their subscribers receive nothing and WAL "
            "is kept",
            f"Recover its node. Or remove the name, on {target.host}: ALTER SYSTEM SET {AWAITED}, "
            "and reload.",
        )


def _idle(report: Report, target: Target, primary: ServerFacts) -> Iterator[Finding]:
    """Report the slots of absent nodes that will be invalidated because they are idle (18)."""
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
                f"checkpoint {timeout_s} s after its node left invalidates it ({IDLE}), and the "
                f"{pretty_size(slot.kept_bytes)} of WAL that it keeps are removed",
                "Recover its node before that. A later recovery needs more than WAL, and creates "
                "the slot again.",
            )
