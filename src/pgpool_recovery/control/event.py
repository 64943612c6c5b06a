"""The events that a person is told of while a recovery is requested, runs and ends."""

from collections.abc import Callable

from pgpool_recovery.control.plan import PlannedRecovery
from pgpool_recovery.control.record import RecordedEvent, RunProgress
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.record import record

POOL, PRIMARY = "Pgpool-II", "the primary"
"""Who is asked to recover a node."""


@record
class PlanRead:
    """What the recovery would do."""

    node_id: NodeId
    plan: PlannedRecovery


@record
class Remarked:
    """A remark that does not stop the recovery."""

    sentence: str
    node_id: NodeId | None = None


@record
class Asked:
    """The recovery was requested from Pgpool-II, or from the primary itself, and now runs there.

    `of` is one of the two names above. `is_on_record`: its events will be read from the record.
    """

    node_id: NodeId
    of: str
    is_on_record: bool


@record
class Happened:
    """An event from the record."""

    node_id: NodeId | None
    run_id: int
    event: RecordedEvent


@record
class StepMoved:
    """How far the current step has come."""

    progress: RunProgress


@record
class NodeSaid:
    """A line from Pgpool-II, or a notice from the primary, about the recovery."""

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
        """0, or the exit status of the failure."""
        return 0 if self.failure is None else self.failure.exit_status


OperatorEvent = PlanRead | Remarked | Asked | Happened | StepMoved | NodeSaid | Outcome
Tell = Callable[[OperatorEvent], None]
"""Passes an event to the person who asked for the recovery."""
