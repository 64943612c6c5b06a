"""Read the record of recoveries: the tables and views of the extension, as values."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pgpool_recovery.control.cluster import Node
from pgpool_recovery.domain.error import Cancelled, Incomplete, RecoveryError, kind_of_status
from pgpool_recovery.domain.target_state import RECOVER_AGAIN, TargetState
from pgpool_recovery.postgres.connection import Connection

MAX_PAGES = 100
INTERRUPTED = "interrupted"
COPIED = "copied"
"""The state between the first stage and the start; it is final if the start is not requested."""
RECOVERED = "recovered"
ENDED = frozenset({RECOVERED, "failed", "cancelled", INTERRUPTED})


def about(meaning: str, *, default: Any = None) -> Any:
    """Return a field of a document, with its description for docs/reference/commands.md."""
    return field(default=default, metadata={"about": meaning})


@dataclass(frozen=True)
class RunProgress:
    """A recovery that has not ended."""

    id: int = field(metadata={"about": "the run"})
    node_id: int | None = about("the node, if the caller named one")
    host: str = about("the target's host", default="")
    data_directory: str = about("the target's data directory", default="")
    state: str = about("`running`, `copied`, `starting` or `interrupted`", default="running")
    method: str | None = about("the method, once there is a plan")
    step: int | None = about("the number of the current step")
    steps: int | None = about("how many there are")
    sentence: str | None = about("what the current step does")
    done_bytes: int | None = about("how much the current step has moved")
    total_bytes: int | None = about("how much it will move in total, as far as that is known")
    bytes_per_s: float | None = about("the current rate")
    seconds_left: float | None = about("how long the current step will take at that rate")
    run_seconds_left: float | None = about(
        "how long the whole recovery will take, if an earlier one shows that"
    )
    started_at: datetime | None = about("when the recovery began")
    elapsed_s: float | None = about("how long ago that was, in seconds")
    backend_pid: int | None = about("the backend on the primary that runs it")

    @property
    def name(self) -> str:
        """What messages call the target."""
        return _name(self.node_id, self.host, self.data_directory)

    @property
    def place(self) -> tuple[int, str, int | None, str | None, int | None]:
        """How far it has come: what changes only when it gets on, unlike the time."""
        return self.id, self.state, self.step, self.sentence, self.done_bytes


@dataclass(frozen=True)
class RecordedRun:
    """A recovery, ended or not."""

    id: int = field(metadata={"about": "the run"})
    node_id: int | None = about("the node, if the caller named one")
    host: str = about("the target's host", default="")
    data_directory: str = about("the target's data directory", default="")
    state: str = about(
        "`running`, `copied`, `starting`, `recovered`, `failed`, `cancelled` or `interrupted`",
        default="running",
    )
    method: str | None = about("the method that was used last")
    started_at: datetime | None = about("when it began")
    ended_at: datetime | None = about("when it ended")
    duration_s: float | None = about("how long it took, in seconds")
    moved_bytes: int | None = about("how much was moved, as far as that is known")
    message: str | None = about("why it failed")
    detail: str | None = about("more about that")
    hint: str | None = about("what can be done about it")
    target_state: str | None = about("the state in which the target was left")
    exit_status: int | None = about("the exit status of the failure")
    step: int | None = about("the number of the last step that was started")
    steps: int | None = about("how many there were")
    sentence: str | None = about("what that step does")

    @property
    def name(self) -> str:
        """What messages call the target."""
        return _name(self.node_id, self.host, self.data_directory)

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, and nothing more will be recorded."""
        return self.state in ENDED

    @property
    def left(self) -> TargetState:
        """In which state the first stage has left the target to a remote start."""
        is_started = _target_state(self.target_state) is TargetState.STARTED
        return TargetState.STARTED if is_started else TargetState.COPIED

    def failure(self) -> RecoveryError | None:
        """Return why it failed; None if it succeeded or has not ended."""
        if self.state == INTERRUPTED:
            return Incomplete(
                f"the recovery of {self.name} was interrupted",
                detail="The process that ran it on the primary is gone."
                + (f" It was interrupted{where}." if (where := where_it_stopped(self)) else ""),
                hint=self._next_step(),
                target=TargetState.UNKNOWN,
            )
        if self.state == COPIED and self.left is TargetState.STARTED:
            return Incomplete(
                f"pgpool_remote_start was not called for {self.name}",
                detail="The first stage had already started its server.",
                hint="Recover the node again.",
                target=TargetState.STARTED,
            )
        if self.state == COPIED:
            return Incomplete(
                f"{self.name} was not started after the first stage",
                detail="pgpool_remote_start was not called for it.",
                hint="Recover the node again.",
                target=TargetState.COPIED,
            )
        if self.state not in ENDED or self.state == "recovered":
            return None
        status = self.exit_status if self.exit_status is not None else 1
        kind = Cancelled if self.state == "cancelled" else kind_of_status(status)
        message = self.message or f"the recovery of {self.name} {self.state}"
        return kind(
            message, detail=self.detail, hint=self.hint, target=_target_state(self.target_state)
        )

    def _next_step(self) -> str:
        """Return how to examine and how to complete an interrupted run."""
        if self.node_id is None:
            return RECOVER_AGAIN
        return f'"pgpool-recovery plan {self.node_id}" shows what is on the target. {RECOVER_AGAIN}'


def where_it_stopped(run: RunProgress | RecordedRun) -> str:
    """Return in which step a run was interrupted, as the end of a sentence; empty if not known.

    >>> where_it_stopped(RunProgress(1, step=2, steps=6, sentence="reserve /data"))
    ' in step 2 of 6: reserve /data'
    """
    if run.sentence is None:
        return ""
    return (
        f" in step {run.step} of {run.steps}: {run.sentence}" if run.step else f": {run.sentence}"
    )


@dataclass(frozen=True)
class RecordedEvent:
    """An event of a recovery."""

    number: int = field(metadata={"about": "its place among the events of the run"})
    at: datetime | None = about("when")
    kind: str = about("what happened; see [events](#events)", default="said")
    line: str = about("the line that is shown to people", default="")
    data: dict[str, Any] | None = about("the same as values")


class RecordReader:
    """Reads the record, over a connection to the database that has it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def progress(self) -> list[RunProgress]:
        """Return the recoveries that have not ended, the oldest first."""
        return [RunProgress(**row) for row in self._connection.rows("runs_in_progress")]

    def runs(self, count: int) -> list[RecordedRun]:
        """Return the last recoveries, the newest first."""
        return [RecordedRun(**row) for row in self._connection.rows("runs", count=count)]

    def run(self, run_id: int) -> RecordedRun | None:
        """Return one recovery."""
        found = self._run(run_id)
        if found is not None and found.state == INTERRUPTED:
            # The sessions are newer than the row: the run may have ended in between.
            return self._run(run_id)
        return found

    def _run(self, run_id: int) -> RecordedRun | None:
        return next((_run(row) for row in self._connection.rows("run", id=run_id)), None)

    def plan(self, run_id: int) -> tuple[str, ...]:
        """Return the sentences of the plan that a recovery followed."""
        rows = self._connection.rows("run", id=run_id)
        return tuple(sentence for row in rows for sentence in row["plan"] or ())

    def last_id(self) -> int:
        """Return the number of the newest recovery, 0 if there is none."""
        return int(self._connection.row("last_run")["id"])

    def run_of(self, node: Node, *, after: int) -> int | None:
        """Return the number of a node's newest recovery, if it is higher than `after`."""
        row = self._connection.row(
            "run_of_node",
            after=after,
            node_id=node.node_id,
            host=node.told_host,
            data_directory=node.data_directory,
        )
        return None if row["id"] is None else int(row["id"])

    def events(self, run_id: int, *, after: int) -> list[RecordedEvent]:
        """Return at most 1000 events of a recovery, those with a number higher than `after`."""
        rows = self._connection.rows("run_events", id=run_id, after=after)
        return [RecordedEvent(**row) for row in rows]

    def all_events(self, run_id: int, *, after: int = -1) -> list[RecordedEvent]:
        """Return at most 100000 events of a recovery, those with a number higher than `after`."""
        found: list[RecordedEvent] = []
        for _ in range(MAX_PAGES):
            page = self.events(run_id, after=found[-1].number if found else after)
            found += page
            if not page:
                break
        return found


def _run(row: dict[str, Any]) -> RecordedRun:
    return RecordedRun(**{name: value for name, value in row.items() if name != "plan"})


def _name(node_id: int | None, host: str, data_directory: str) -> str:
    return f"node {node_id}" if node_id is not None else f"{host}:{data_directory}"


def _target_state(text: str | None) -> TargetState:
    return next((state for state in TargetState if state == text), TargetState.UNKNOWN)
