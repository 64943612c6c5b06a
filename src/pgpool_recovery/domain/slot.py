"""Which replication slots may be dropped: those that are known to be a node's, and no others.

What a slot keeps is WAL that somebody counts on: Barman, pg_receivewal, a standby that is down for
a moment. A node says by which slot it streamed, but that may be a lie, or come from a cloned
configuration. So it is never enough: the name has to be one that only a recovery of that node
makes, and the primary has to see that nobody uses the slot.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from pgpool_recovery.domain.node import OWN_SLOT, Target
from pgpool_recovery.domain.record import record

NUMBERED = re.compile(r"node_\d+")
IN_USE = "it is in use"
LOGICAL = "it is a logical one"
NOT_KNOWN = "its name does not show that it was made for that node"
LOST = "lost"
"""The wal_status of a slot that was invalidated, for whatever reason: nobody streams by it."""
MAYBE_IN_USE = "somebody may need it"
ONLY_COPY = "the primary has no failover slot of that name"
USABLE = ("reserved", "extended")
"""The wal_status of a slot that still has its WAL, and keeps it over the next checkpoint.

Never judged by restart_lsn: a slot that was invalidated for having been idle (18) has one still.
"""


@record
class SlotState:
    """A slot as the server that has it knows it."""

    name: str
    is_physical: bool
    is_active: bool
    is_failover: bool = False


@record
class FormerSlot:
    """A slot that a standby has by itself, and that nobody uses; `why_kept` None: it was dropped.

    `kept_bytes` is the WAL that it keeps. `holds_xmin`: by hot_standby_feedback it holds VACUUM
    back on the primary.
    """

    name: str
    why_kept: str | None
    kept_bytes: int
    holds_xmin: bool


def slot_state(row: Mapping[str, Any]) -> SlotState:
    """Return a row of a query about slots as the decision needs it."""
    return SlotState(row["name"], is_physical=row["is_physical"], is_active=row["is_active"])


def slot_names(text: str) -> tuple[str, ...]:
    """Return the names of a setting that lists slots, such as synchronized_standby_slots.

    >>> slot_names('a, "b"')
    ('a', 'b')
    """
    return tuple(name for word in text.split(",") if (name := word.strip().strip('"')))


def why_kept_by_standby(slot: SlotState, failover_slots: Collection[str]) -> str | None:
    """Return why a standby keeps a slot of its own; None when it is from its time as primary.

    Not those that it has synchronised, of which this is never asked. A recovery makes slots on the
    primary only. A failover slot cannot be made on a standby, so one that was not synchronised is
    its own of then; where the primary, whose `failover_slots` these are, has one of that name, it
    only is in the way of that. Any other may be somebody's: a cascade, pg_receivewal, decoding.
    """
    if slot.is_active:
        return IN_USE
    if slot.is_physical:
        return None if is_of_a_recovery(slot.name) else MAYBE_IN_USE
    if not slot.is_failover:
        return MAYBE_IN_USE
    return None if slot.name in failover_slots else ONLY_COPY


def why_kept(slot: SlotState, names: Collection[str]) -> str | None:
    """Return why a slot may not be dropped by somebody who may drop those of these names.

    None when it may be.

    >>> why_kept(SlotState("barman", is_physical=True, is_active=False), {"pgpool_node_1"})
    'its name does not show that it was made for that node'
    """
    if slot.name not in names:
        return NOT_KNOWN
    if not slot.is_physical:
        return LOGICAL
    return IN_USE if slot.is_active else None


def names_of(target: Target) -> frozenset[str]:
    """Return the slots that recoveries make for a node, ours and those of Pgpool-II's samples.

    Ours are named by the node id, or where that was not known by host and directory. The samples
    (REPL_SLOT_NAME in recovery_1st_stage and follow_primary.sh) take the host, with "-" and "." as
    "_", since 4.4 in lower case; sites that have several nodes on a host number them. Where hosts
    are numbered, a number alone may be that of another node's host.

    >>> sorted(names_of(Target("Server-1.example", "/data")))
    ['Server_1_example', 'pgpool_server_1_example_data', 'server_1_example']
    """
    host = re.sub(r"[-.]", "_", target.host)
    own = {target.slot_name, Target(target.host, target.data_directory).slot_name}
    is_ambiguous = target.node_id is None or NUMBERED.fullmatch(host.lower()) is not None
    numbered = set() if is_ambiguous else {f"node_{target.node_id}"}
    return frozenset(own | {host, host.lower()} | numbered)


def is_of_a_recovery(name: str) -> bool:
    """Say whether a name is one that our recoveries give to the slot of some node."""
    return OWN_SLOT.fullmatch(name) is not None
