"""Which replication slots may be dropped: those known to belong to a node, and no others.

A slot retains WAL that its owner relies on, such as Barman, pg_receivewal, or a standby that is
down for a moment. A node reports the slot by which it streamed, but the report may be false, or
come from a cloned configuration. So the report is never enough: the name must be one that only a
recovery of that node creates, and the primary must see that the slot is not in use.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from pgpool_recovery.domain.node import OWN_SLOT, Target
from pgpool_recovery.domain.record import record

NUMBERED = re.compile(r"node_\d+")
IN_USE = "it is in use"
LOGICAL = "it is a logical slot"
NOT_KNOWN = "its name does not show that it was made for that node"
LOST = "lost"
"""The wal_status of a slot that was invalidated for any reason: it cannot be streamed from."""
MAYBE_IN_USE = "it may still be needed"
ONLY_COPY = "the primary has no failover slot of that name"
USABLE = ("reserved", "extended")
"""The wal_status of a slot that still has its WAL and retains it past the next checkpoint.

restart_lsn is no criterion: a slot that was invalidated because it was idle (18) still has one.
"""


@record
class SlotState:
    """A slot as its server reports it."""

    name: str
    is_physical: bool
    is_active: bool
    is_failover: bool = False


@record
class FormerSlot:
    """A slot of a standby's own that is not in use; `why_kept` is None if it was dropped.

    `kept_bytes` is the WAL that it retains. `holds_xmin`: through hot_standby_feedback it holds
    back VACUUM on the primary.
    """

    name: str
    why_kept: str | None
    kept_bytes: int
    holds_xmin: bool


def slot_state(row: Mapping[str, Any]) -> SlotState:
    """Return a row of a query about slots as a `SlotState`."""
    return SlotState(row["name"], is_physical=row["is_physical"], is_active=row["is_active"])


def slot_names(text: str) -> tuple[str, ...]:
    """Return the names of a setting that lists slots, such as synchronized_standby_slots.

    >>> slot_names('a, "b"')
    ('a', 'b')
    """
    return tuple(name for word in text.split(",") if (name := word.strip().strip('"')))


def why_kept_by_standby(slot: SlotState, failover_slots: Collection[str]) -> str | None:
    """Return why a standby keeps a slot of its own; None if the slot may be dropped.

    Slots that the standby has synchronised are never passed to this function. A recovery creates
    slots on the primary only, so one with the name of a recovery is left over from the standby's
    time as primary. So is a failover slot that was not synchronised, since it cannot be created on
    a standby. It is in the way if the primary, which has the `failover_slots`, has one of the same
    name; otherwise it is the only copy. Any other slot may be in use by a cascading standby,
    pg_receivewal or logical decoding.
    """
    if slot.is_active:
        return IN_USE
    if slot.is_physical:
        return None if is_of_a_recovery(slot.name) else MAYBE_IN_USE
    if not slot.is_failover:
        return MAYBE_IN_USE
    return None if slot.name in failover_slots else ONLY_COPY


def why_kept(slot: SlotState, names: Collection[str]) -> str | None:
    """Return why a slot may not be dropped by a caller who may drop slots of these names.

    None when it may be dropped.

    >>> why_kept(SlotState("barman", is_physical=True, is_active=False), {"pgpool_node_1"})
    'its name does not show that it was made for that node'
    """
    if slot.name not in names:
        return NOT_KNOWN
    if not slot.is_physical:
        return LOGICAL
    return IN_USE if slot.is_active else None


def names_of(target: Target) -> frozenset[str]:
    """Return the names of the slots that recoveries create for a node, ours and the samples'.

    Ours are named after the node id, or after host and directory if the id was not known. The
    samples of Pgpool-II (REPL_SLOT_NAME in recovery_1st_stage and follow_primary.sh) use the host
    name with "-" and "." replaced by "_", in lower case since 4.4. Sites with several nodes on a
    host number them instead. Where the hosts are numbered, "node_N" may be another node's host.

    >>> sorted(names_of(Target("Server-1.example", "/data")))
    ['Server_1_example', 'pgpool_server_1_example_data', 'server_1_example']
    """
    host = re.sub(r"[-.]", "_", target.host)
    own = {target.slot_name, Target(target.host, target.data_directory).slot_name}
    is_ambiguous = target.node_id is None or NUMBERED.fullmatch(host.lower()) is not None
    numbered = set() if is_ambiguous else {f"node_{target.node_id}"}
    return frozenset(own | {host, host.lower()} | numbered)


def is_of_a_recovery(name: str) -> bool:
    """Return whether a name is one that our recoveries give to the slot of some node."""
    return OWN_SLOT.fullmatch(name) is not None
