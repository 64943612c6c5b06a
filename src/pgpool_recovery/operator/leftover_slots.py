"""Replication slots that recoveries made and that nobody streams by since another node is primary.

They only keep WAL. A failure here is said, and does not keep anybody from the rest.
"""

from collections.abc import Callable

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.node import OWN_SLOT
from pgpool_recovery.operator.cluster import Login, Node, connect_to

Say = Callable[[str], None]


def drop_slot_on_itself(primary: Node, login: Login, say: Say) -> None:
    """Drop the slot that a new primary has for itself, from a time when another one was primary."""
    _drop_idle(primary, login, lambda name: name == primary.slot_name, say)


def drop_slots_of_standby(node: Node, login: Login, say: Say) -> None:
    """Drop the slots for other nodes that a standby has from its own time as primary.

    The others follow the primary, so these only keep WAL.
    """
    _drop_idle(node, login, lambda name: OWN_SLOT.fullmatch(name) is not None, say)


def _drop_idle(node: Node, login: Login, is_orphan: Callable[[str], bool], say: Say) -> None:
    try:
        with connect_to(node, login) as connection:
            for slot in connection.rows("slots"):
                if is_orphan(slot["name"]) and slot["is_physical"] and not slot["is_active"]:
                    connection.rows("drop_slot", name=slot["name"])
                    say(f"replication slot {slot['name']} of {node.name}, a leftover, is dropped")
    except Unreachable as error:
        say(f"the slots of {node.name} were not looked at: {error.message}: {error.detail}")
