"""Keep the primary's replication slots for nodes that are down within a limit.

A failure here is reported and does not prevent the rest of the hook.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from pgpool_recovery.config.settings import FailoverSettings
from pgpool_recovery.control.cluster import Node, SqlLogin, connect_to
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.event import Say
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.slot import LOST, slot_state, why_kept
from pgpool_recovery.postgres.slots import drop_slot

MEGABYTE = 1024 * 1024
UNLIMITED = -1


@record
class Slots:
    """The primary's slots for nodes that are down: which to drop, and what to report."""

    dropped: tuple[str, ...]
    sentences: tuple[str, ...]


def judge_slots(
    primary: str,
    down: Sequence[Node],
    slots: Sequence[dict[str, Any]],
    limit_mb: int,
    settings: FailoverSettings,
) -> Slots:
    """Decide what becomes of the slots of nodes that are down. Pure."""
    found = {slot["name"]: slot for slot in slots}
    own = [(node, found[node.slot_name]) for node in down if node.slot_name in found]
    drop_above = settings.drop_slot_above_mb
    dropped = tuple(
        slot["name"]
        for _, slot in own
        if drop_above is not None
        and slot["kept_bytes"] > drop_above * MEGABYTE
        and why_kept(slot_state(slot), {slot["name"]}) is None
    )
    sentences = [*_fates(primary, own, dropped, drop_above)]
    sentences += [
        f"{primary} has no replication slot {node.slot_name} for {node.name}"
        for node in down
        if node.slot_name not in found
    ]
    if limit_mb == UNLIMITED and len(own) > len(dropped):
        sentences.append(
            f"WARNING: max_slot_wal_keep_size of {primary} is -1: the WAL that its slots keep may "
            "fill its disk. Set a limit, or bring the nodes back"
        )
    return Slots(dropped, tuple(sentences))


def _fates(
    primary: str,
    own: Sequence[tuple[Node, dict[str, Any]]],
    dropped: Sequence[str],
    drop_above: int | None,
) -> Iterator[str]:
    for node, slot in own:
        kept = pretty_size(slot["kept_bytes"])
        if slot["name"] in dropped:
            yield (
                f"replication slot {slot['name']} of {primary} keeps {kept} of WAL for "
                f"{node.name}, more than {drop_above} MB, and is dropped; {node.name} may need a "
                "full copy"
            )
        elif slot["wal_status"] == LOST:
            yield (
                f"replication slot {slot['name']} of {primary} has lost WAL that {node.name} needs"
            )
        else:
            yield (
                f"replication slot {slot['name']} of {primary} stays for {node.name} "
                f"and keeps {kept} of WAL"
            )


def look_after_slots(
    primary: Node, login: SqlLogin, down: Sequence[Node], settings: FailoverSettings, say: Say
) -> None:
    """Drop the slots of nodes that are down when they keep more than the settings allow."""
    try:
        with connect_to(primary, login) as connection:
            slots = connection.rows("slots")
            limit_mb = connection.row("slot_wal_limit")["limit_mb"]
            judged = judge_slots(primary.name, down, slots, limit_mb, settings)
            for sentence in judged.sentences:
                say(sentence)
            for slot in slots:
                drop_slot(connection, slot_state(slot), judged.dropped)
    except Unreachable as error:
        say(f"could not check the slots of {primary.name}: {error.in_a_line}")


def hold_wal_for(stopped: Node, primary: Node, login: SqlLogin, say: Say) -> None:
    """Make the new primary hold WAL for the old one that this failover has stopped.

    From this slot follow_primary also knows that a failover stopped it.
    """
    try:
        with connect_to(primary, login) as connection:
            connection.rows("create_slot", name=stopped.slot_name)
    except Unreachable as error:
        say(f"could not hold WAL for {stopped.name}: {error.in_a_line}")


def is_wal_held_for(node: Node, primary: Node, login: SqlLogin) -> bool:
    """Return whether the primary holds WAL for a node that does not stream."""
    with connect_to(primary, login) as connection:
        slots = connection.rows("slots")
    return any(slot["name"] == node.slot_name and not slot["is_active"] for slot in slots)
