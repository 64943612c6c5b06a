"""Events as JSON lines."""

from dataclasses import asdict
from typing import Any

from pgpool_recovery.cli.render.document import line
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

EVENTS = {
    "plan": "what the recovery will do; `plan` is the document of `plan`",
    "remark": "`sentence`: something to know that does not stand in the way",
    "asked": "the recovery was asked for, of `of`; from now on it goes on without this command. "
    "`is_on_record`: there will be `recorded` events",
    "recorded": "an event of the run `run_id`: `number`, `at`, `kind`, `line` and `data`",
    "progress": "how far the current step is: `progress`, as in `watch`",
    "said": "`line`: a line of Pgpool-II, or a notice of the primary",
    "ended": "how it ended: `recovery`, as in the document of `recover`",
}
"""The events of this command, with what docs/reference/commands.md says of each."""


def event_line(event: OperatorEvent) -> str:
    """Return an event as a JSON document on a line."""
    return line(**event_parts(event))


def event_parts(event: OperatorEvent) -> dict[str, Any]:
    """Return the parts of an event's document."""
    match event:
        case PlanRead(node_id, plan):
            return {"event": "plan", "node_id": node_id, "plan": plan.document.fields}
        case Remarked(sentence, node_id):
            return {"event": "remark", "node_id": node_id, "sentence": sentence}
        case Asked(node_id, of, is_on_record):
            parts = {"node_id": node_id, "of": of, "is_on_record": is_on_record}
            return {"event": "asked", **parts}
        case Happened(node_id, run_id, recorded):
            return {
                "event": "recorded",
                "node_id": node_id,
                "run_id": run_id,
                **asdict(recorded),
            }
        case StepMoved(progress):
            return {"event": "progress", "node_id": progress.node_id, "progress": progress}
        case NodeSaid(node_id, text):
            return {"event": "said", "node_id": node_id, "line": text}
        case Outcome():
            ended = outcome_parts(event)
            return {"event": "ended", "node_id": event.node_id, "recovery": ended}


def outcome_parts(outcome: Outcome) -> dict[str, Any]:
    """Return how the recovery of a node ended."""
    return {
        "node_id": outcome.node_id,
        "name": outcome.name,
        "is_recovered": outcome.failure is None,
        "exit_status": outcome.exit_status,
        "error": outcome.failure,
        "run_id": outcome.run_id,
        "method": outcome.method,
        "moved_bytes": outcome.moved_bytes,
        "seconds": round(outcome.seconds, 1),
        "is_attached": outcome.is_attached,
        "is_streaming": outcome.is_streaming,
    }
