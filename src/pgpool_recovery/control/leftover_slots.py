"""Drop replication slots of recoveries on a node that is now a standby: they only retain WAL.

A failure is only reported, and does not stop what follows.
"""

from pgpool_recovery.control.cluster import Node, SqlLogin, connect_to
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.event import Say
from pgpool_recovery.domain.slot import is_of_a_recovery, slot_state
from pgpool_recovery.postgres.slots import drop_slot


def drop_leftover_slots(standby: Node, login: SqlLogin, say: Say) -> None:
    """Drop the slots that a standby has from its time as primary; the nodes now follow another.

    So none is left, not even one for itself, when it becomes the primary again.
    """
    try:
        with connect_to(standby, login) as connection:
            for found in map(slot_state, connection.rows("slots")):
                names = {found.name} if is_of_a_recovery(found.name) else set[str]()
                if drop_slot(connection, found, names) is None:
                    say(f"dropped leftover replication slot {found.name} of {standby.name}")
    except Unreachable as error:
        say(f"could not check the slots of {standby.name}: {error.in_a_line}")
