"""Render the output of `history` and `cancel`."""

from collections.abc import Sequence

from pgpool_recovery.cli.psql import as_psql
from pgpool_recovery.cli.render.quantity import duration, moment, size
from pgpool_recovery.cli.render.table import table
from pgpool_recovery.control.cluster import Node
from pgpool_recovery.control.record import RecordedEvent, RecordedRun

HEADER = ("run", "node", "began", "took", "method", "moved", "state", "cause")
MAX_CAUSE = 60


def history_lines(runs: Sequence[RecordedRun]) -> list[str]:
    """Return the recoveries as a table, the newest first."""
    if not runs:
        return ["no recovery is on record"]
    return table(HEADER, [_row(run) for run in runs], right="run took moved")


def run_lines(run: RecordedRun, plan: Sequence[str], events: Sequence[RecordedEvent]) -> list[str]:
    """Return one recovery: its plan, what happened when, and why it failed."""
    lines = [
        f"recovery {run.id} of {run.name} ({run.host}:{run.data_directory}): {run.state}",
        f"began {moment(run.started_at)}, took {duration(run.duration_s)}",
        f"moved {size(run.moved_bytes)}" + (f" by {run.method}" if run.method else ""),
    ]
    if plan:
        lines += ["", *plan]
    if events:
        lines.append("")
    for event in events:
        at = "" if event.at is None or run.started_at is None else _after(event, run)
        lines += [f"{at:>9}  {text}" for text in event.line.split("\n")]
    failure = run.failure()
    if failure is not None:
        lines += ["", *as_psql(failure)]
    return lines


def cancelled_text(node: Node, run: RecordedRun | None) -> str:
    """Return the result of a cancel."""
    if run is None:
        return f"the recovery of {node.name} has ended"
    if run.state == "recovered":
        return f"the recovery of {node.name} had already completed"
    failure = run.failure()
    state = run.target_state if failure is None else str(failure.target)
    return f"the recovery of {node.name} has ended ({run.state}); target {state}"


def _after(event: RecordedEvent, run: RecordedRun) -> str:
    assert event.at is not None  # noqa: S101 - the caller has checked
    assert run.started_at is not None  # noqa: S101 - likewise
    return f"+{(event.at - run.started_at).total_seconds():.1f} s"


def _row(run: RecordedRun) -> list[str]:
    cause = run.message or ""
    return [
        str(run.id),
        "-" if run.node_id is None else str(run.node_id),
        moment(run.started_at),
        duration(run.duration_s),
        run.method or "-",
        size(run.moved_bytes),
        run.state,
        cause if len(cause) <= MAX_CAUSE else f"{cause[: MAX_CAUSE - 1]}…",
    ]
