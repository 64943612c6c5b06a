"""Render what happens in a recovery as lines of plain text."""

from pgpool_recovery.cli.render.quantity import duration, progress, size
from pgpool_recovery.control.event import (
    Asked,
    Happened,
    NodeSaid,
    OperatorEvent,
    Outcome,
    PlanRead,
    Remarked,
    StepMoved,
)
from pgpool_recovery.control.plan import PlannedRecovery

PLAN_MADE = "plan_made"
STREAMS = (
    "it is streaming, so a recovery now would only attach it; the plan below assumes that its "
    "server was just lost"
)


def lines_of(event: OperatorEvent) -> list[str]:
    """Return the lines that tell a person of an event; see `screen.py` for those of a failure."""
    match event:
        case PlanRead(plan=plan):
            return plan_lines(plan)
        case Remarked(sentence=sentence):
            return [f"note: {sentence}"]
        case Asked(node_id=node_id, of=whom):
            return [f"node {node_id}: asked {whom} to recover it"]
        case Happened(event=recorded):
            return [line for line in recorded.line.split("\n") if line]
        case NodeSaid(line=line):
            return [line]
        case StepMoved():
            text = moved_text(event)
            return [text] if text else []
        case Outcome():
            return [outcome_text(event)]


def plan_lines(plan: PlannedRecovery) -> list[str]:
    """Return a plan: its sentences, among them what it destroys, and its steps."""
    name = plan.node.name
    now = [STREAMS] if plan.document.is_streaming else []
    steps = [f"  step {number}: {text}" for number, text in enumerate(plan.document.steps, start=1)]
    return [*(f"{name}: {sentence}" for sentence in [*now, *plan.document.sentences]), *steps]


def moved_text(event: StepMoved) -> str:
    """Return how far it has come; empty if the step moves no data and no time is known."""
    running = event.progress
    text = progress(running)
    return f"step {running.step} of {running.steps}: {text}" if text and running.step else text


def outcome_text(outcome: Outcome) -> str:
    """Return how a recovery ended, on one line."""
    took = duration(outcome.seconds)
    if outcome.failure is not None:
        return f"{outcome.name}: failed after {took}, target {outcome.failure.target}"
    facts = {"up in Pgpool-II": outcome.is_attached, "streaming": outcome.is_streaming}
    where = " and ".join(text for text, is_so in facts.items() if is_so)
    how = f"{outcome.method}, " if outcome.method else ""
    moved = f"{size(outcome.moved_bytes)} moved, " if outcome.moved_bytes is not None else ""
    said = f"{outcome.name} is back: {where}" if where else f"{outcome.name}: recovered"
    return f"{said} ({how}{moved}{took})"
