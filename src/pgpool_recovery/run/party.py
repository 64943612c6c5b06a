"""Define what each step of a run works with: the primary, the agent, the slot, the deadlines."""

from collections.abc import Callable

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.event import Emit, Said
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.step.standby import RepointRunning
from pgpool_recovery.facts.step.step import TargetStep
from pgpool_recovery.facts.step.transfer import CheckMade
from pgpool_recovery.plan.made import Accepted
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.run.own_slot import OwnSlot
from pgpool_recovery.run.read_server import ReadServer
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.steps import TakeStep

SeeFollowing = Callable[[RepointRunning], None]
SeeMade = Callable[[CheckMade], Accepted]


@record
class Deadlines:
    """Time limits in seconds.

    `stall_s` is how long a step may make no progress, and `undo_s` an undo; the others limit how
    long each answer or connection may take.
    """

    stall_s: float
    undo_s: float
    answer_s: float
    connect_s: float


@record
class Party:
    """The participants of a run.

    `see_following` checks that a standby that was repointed to the primary while running streams.
    `source` is the server whose files a delta reads. `see_made` judges what a command has made.
    """

    connection: Connection
    agent: Conversation
    slot: OwnSlot
    emit: Emit
    deadlines: Deadlines
    see_following: SeeFollowing
    source: ReadServer
    see_made: SeeMade

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


def take_step(party: Party, step: TargetStep) -> TargetState:
    """Have the agent take a step, however long it takes, as long as it says that it gets on.

    How long that is depends on the size of the data, so no limit of time would be right.
    """
    stall_s = party.deadlines.stall_s
    taking = TakeStep(step, stall_s)
    return party.agent.ask(taking, timeout_s=stall_s, is_renewed_by_events=True)
