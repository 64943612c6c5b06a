"""What every step of a run works with: the primary, the agent, the slot, and its deadlines."""

from collections.abc import Callable

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.event import Emit, Said
from pgpool_recovery.domain.record import record
from pgpool_recovery.facts.step import RepointRunning
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.run.own_slot import OwnSlot
from pgpool_recovery.talk.conversation import Conversation

SeeFollowing = Callable[[RepointRunning], None]


@record
class Deadlines:
    """How long a transfer may not get on, and how long each of the others may take."""

    stall_s: float
    step_s: float
    undo_s: float
    answer_s: float
    connect_s: float


@record
class Party:
    """Who takes part in a run.

    `see_following` sees that a standby which was led to the primary while it ran streams.
    """

    connection: Connection
    agent: Conversation
    slot: OwnSlot
    emit: Emit
    deadlines: Deadlines
    see_following: SeeFollowing

    def checkpoint(self) -> None:
        """Have the checkpoint done that a backup begins with, for as long as it takes.

        The backup's own one has little left to do then, and nothing that is silent meanwhile is
        taken for dead. Who may not order one waits for it within the limits of the backup.
        """
        try:
            self.connection.do("CHECKPOINT")
        except Unreachable as error:
            self.emit(Said("primary", f"no checkpoint before the backup: {error.in_a_line}"))
