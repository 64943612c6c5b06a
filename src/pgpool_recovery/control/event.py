"""What a person is told while a recovery is asked for, runs and ends."""

from collections.abc import Callable

from pgpool_recovery.control.plan import PlannedRecovery
from pgpool_recovery.control.record import RecordedEvent, RunProgress
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.record import record

POOL, PRIMARY = "Pgpool-II", "the primary"
"""Who is asked for a recovery."""


@record
class PlanRead:
    """What the recovery would do."""

    node_id: NodeId
    plan: PlannedRecovery


@record
class Remarked:
    """Something that is to be known and does not stand in the way."""

    sentence: str
    node_id: NodeId | None = None


@record
class Asked:
    """Pgpool-II, or the primary itself, was asked for the recovery; from now on it runs there.

    `of` is one of the two names above. `is_on_record`: what happens will be told from the record.
    """

    node_id: NodeId
    of: str
    is_on_record: bool


@record
class Happened:
    """An event that is on record."""

    node_id: NodeId | None
    run_id: int
    event: RecordedEvent


@record
class StepMoved:
    """How far the current step is."""

    progress: RunProgress


@record
class NodeSaid:
    """A line of Pgpool-II, or a notice of the primary, about the recovery."""

    node_id: NodeId
    line: str


@record
class Outcome:
    """How the recovery of one node ended."""

    node_id: NodeId | None
    name: str
    seconds: float
    failure: RecoveryError | None = None
    run_id: int | None = None
    method: str | None = None
    moved_bytes: int | None = None
    is_attached: bool = False
    is_streaming: bool = False

    @property
    def exit_status(self) -> int:
        """0, or that of the failure."""
        return 0 if self.failure is None else self.failure.exit_status


OperatorEvent = PlanRead | Remarked | Asked | Happened | StepMoved | NodeSaid | Outcome
Tell = Callable[[OperatorEvent], None]
"""Takes an event to whoever asked for the recovery."""
