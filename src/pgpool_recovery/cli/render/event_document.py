"""Render events as lines of JSON."""

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
    "remark": "`sentence`: a remark that does not stop the recovery",
    "asked": "the recovery was requested from `of`; from now on it continues without this command. "
    "`is_on_record`: `recorded` events will follow",
    "recorded": "an event of the run `run_id`: `number`, `at`, `kind`, `line` and `data`",
    "progress": "how far the current step has come: `progress`, as in `watch`",
    "said": "`line`: a line from Pgpool-II, or a notice from the primary",
    "ended": "how it ended: `recovery`, as in the document of `recover`",
}
"""The events and their descriptions in docs/reference/commands.md."""


def event_line(event: OperatorEvent) -> str:
    """Return an event as a JSON document on one line."""
    return line(**event_parts(event))


def event_parts(event: OperatorEvent) -> dict[str, Any]:
    """Return the keys and values of an event's document."""
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
    """Return the keys and values that say how the recovery of a node ended."""
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
