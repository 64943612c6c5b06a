"""Replication slots that recoveries made, on a node that is a standby by now: they only keep WAL.

A failure here is said, and does not keep anybody from the rest.
"""

from pgpool_recovery.control.cluster import Node, SqlLogin, connect_to
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.event import Say
from pgpool_recovery.domain.slot import is_of_a_recovery, slot_state
from pgpool_recovery.postgres.slots import drop_slot


def drop_leftover_slots(standby: Node, login: SqlLogin, say: Say) -> None:
    """Drop the slots that a standby has from its own time as primary; the others follow another.

    So it has none left, not even for itself, when it becomes primary again.
    """
    try:
        with connect_to(standby, login) as connection:
            for found in map(slot_state, connection.rows("slots")):
                names = {found.name} if is_of_a_recovery(found.name) else set[str]()
                if drop_slot(connection, found, names) is None:
                    say(f"replication slot {found.name} of {standby.name}, a leftover, is dropped")
    except Unreachable as error:
        say(f"the slots of {standby.name} were not looked at: {error.in_a_line}")
