"""Replication slots that are not in use, that lag or have lost their WAL, and what they retain."""

from collections.abc import Iterator

from pgpool_recovery.check.estimates import on
from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.check.report import Report
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.slot import USABLE
from pgpool_recovery.facts.facts import Slot
from pgpool_recovery.facts.node import ServerFacts

MB = 2**20


def slots(report: Report) -> Iterator[Finding]:
    """Check the slots of every server; on a standby, only a cascaded standby uses one."""
    known = set(_slots_of_nodes(report))
    for place, target, node in report.reached():
        server = node.surroundings.server
        if server is None:
            continue
        for slot in server.slots:
            if slot.is_synced:
                continue  # It belongs to the primary, and check/failover_slots.py checks it.
            is_of_node = place == report.primary_place and slot.name in known
            yield from _slot(target, server, slot, is_of_node=is_of_node)


def _slots_of_nodes(report: Report) -> Iterator[str]:
    """Return the names of slots that belong to a node: ours, and those that the nodes use."""
    for place, target in enumerate(report.question.nodes):
        if place == report.primary_place:
            continue
        yield target.slot_name
        node = report.nodes.get(place)
        own = None if node is None else node.facts.target.configuration
        if own is not None and own.values.get("primary_slot_name"):
            yield own.values["primary_slot_name"]


def _slot(
    target: Target, server: ServerFacts, slot: Slot, *, is_of_node: bool
) -> Iterator[Finding]:
    kept = pretty_size(slot.kept_bytes)
    where = f"replication slot {slot.name} of {target.name}"
    drop = f"{on(target)}: SELECT pg_drop_replication_slot('{slot.name}')"
    if slot.wal_status is not None and slot.wal_status not in USABLE:
        yield Finding(
            Kind.LOST_SLOT,
            target.node_id,
            f"{where} has lost WAL that it should keep ({_state(slot)})",
            f"Raise {_limit(slot)}. A recovery of its node creates the slot again; if no node "
            f"needs it any longer: {drop}",
        )
    elif not slot.is_active and not is_of_node:
        yield Finding(
            Kind.ORPHANED_SLOT,
            target.node_id,
            f"{where} is not in use, belongs to none of the nodes, and keeps {kept} of WAL"
            + _held_back(slot, server),
            f"If it is not needed: {drop}",
        )
    elif slot.kept_bytes > server.number("max_wal_size") * MB:
        use = "lags" if slot.is_active else "waits for its node"
        yield Finding(
            Kind.LAGGING_SLOT,
            target.node_id,
            f"{where} {use} and keeps {kept} of WAL, more than max_wal_size",
            "Find out why its node does not follow, or recover the node. max_slot_wal_keep_size "
            "limits what a slot may keep.",
        )


def _held_back(slot: Slot, server: ServerFacts) -> str:
    """Return what else the slot holds back; a standby passes it on with hot_standby_feedback."""
    if not slot.holds_xmin:
        return ""
    where = " on the primary as well" if server.is_in_recovery else ""
    return f"; VACUUM cannot remove rows that are younger than it{where}"


def _state(slot: Slot) -> str:
    reason = slot.invalidation_reason
    why = "" if reason is None else f', invalidation_reason "{reason}"'
    return f'wal_status "{slot.wal_status}"{why}'


def _limit(slot: Slot) -> str:
    """Return the setting that has invalidated a slot; versions before 17 do not say which."""
    is_idle = slot.invalidation_reason == "idle_timeout"
    return "idle_replication_slot_timeout" if is_idle else "max_slot_wal_keep_size"
