"""Define what each step of a run works with: the primary, the agent, the slot, the deadlines."""

from collections.abc import Callable

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.event import Emit, Said
from pgpool_recovery.domain.record import record
from pgpool_recovery.facts.step import RepointRunning
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.run.own_slot import OwnSlot
from pgpool_recovery.run.read_server import ReadServer
from pgpool_recovery.talk.conversation import Conversation

SeeFollowing = Callable[[RepointRunning], None]


@record
class Deadlines:
    """Time limits in seconds.

    `stall_s` is how long a transfer may make no progress; the others limit how long each step,
    undo, answer or connection may take.
    """

    stall_s: float
    step_s: float
    undo_s: float
    answer_s: float
    connect_s: float


@record
class Party:
    """The participants of a run.

    `see_following` checks that a standby that was repointed to the primary while running streams.
    `source` is the server whose files a delta reads.
    """

    connection: Connection
    agent: Conversation
    slot: OwnSlot
    emit: Emit
    deadlines: Deadlines
    see_following: SeeFollowing
    source: ReadServer

    def checkpoint(self) -> None:
        """Perform the checkpoint that a backup begins with, for as long as it takes.

        The backup's own checkpoint then has little left to do, so its silence is not mistaken for a
        lost connection. If our role may not perform a checkpoint, that of the backup must be done
        within the limits of the backup.
        """
        try:
            self.connection.do("CHECKPOINT")
        except Unreachable as error:
            self.emit(Said("primary", f"no checkpoint before the backup: {error.in_a_line}"))
