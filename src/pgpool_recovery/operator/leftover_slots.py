"""Replication slots that recoveries made, on a node that is a standby by now: they only keep WAL.

A failure here is said, and does not keep anybody from the rest.
"""

from collections.abc import Callable

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.node import OWN_SLOT
from pgpool_recovery.operator.cluster import Login, Node, connect_to

Say = Callable[[str], None]


def drop_leftover_slots(standby: Node, login: Login, say: Say) -> None:
    """Drop the slots that a standby has from its own time as primary; the others follow another.

    So it has none left, not even for itself, when it becomes primary again.
    """
    try:
        with connect_to(standby, login) as connection:
            for slot in connection.rows("slots"):
                is_own = OWN_SLOT.fullmatch(slot["name"]) is not None
                if is_own and slot["is_physical"] and not slot["is_active"]:
                    connection.rows("drop_slot", name=slot["name"])
                    say(
                        f"replication slot {slot['name']} of {standby.name}, a leftover, is dropped"
                    )
    except Unreachable as error:
        say(f"the slots of {standby.name} were not looked at: {error.message}: {error.detail}")
