"""What a recovery would do, as plain data for every reader: version 1 of the plan's JSON."""

from typing import Any

from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.facts.facts import Facts
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.step import Step, Touches
from pgpool_recovery.plan.attach import streams
from pgpool_recovery.plan.harm import harm_of
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.plan.space import rooms_as_json

VERSION = 1
NOT_TIDY = (
    "an earlier recovery was interrupted; what it left half done is put in order first, "
    "and the plan may be another then"
)


def plan_as_json(
    target: Target,
    facts: Facts,
    made: Plan | tuple[Rejection, ...],
    *,
    is_tidy: bool,
    found: str | None = None,
    stops: bool = False,
    unbound: str | None = None,
) -> dict[str, Any]:
    """Return the plan, or every reason why there is none, in JSON types.

    `found` is the sentence that says what stands on the target now. `stops`: the server that runs
    is stopped first. `unbound`: why what is agreed to would not get to the run (plan/agreement.py).
    """
    head = {
        "version": VERSION,
        "node_id": target.node_id,
        "target_runs": facts.target.server_pid is not None,
        "target_streams": facts.target.server_pid is not None and streams(facts),
        "target_found": found,
        "possible": isinstance(made, Plan),
        "binds": unbound is None,
        "unbound": unbound,
    }
    further = [] if is_tidy else [NOT_TIDY]
    if not isinstance(made, Plan):
        reasons = [reason_as_json(reason) for reason in made]
        return {
            **head,
            "reasons": reasons,
            "exit_status": made[0].kind.exit_status,
            "notes": further,
        }
    stopped = ["its server, which runs, is stopped first"] if stops else []
    sentences = [*made.sentences(), *stopped, *(f"note: {note}" for note in further)]
    return {
        **head,
        "sentences": sentences,
        **_plan(made),
        "harm": harm_of(made, stops=stops).words(),
        "stops_server": stops,
        "gives_up": made.gives_up,
        "old_bytes": _old_bytes(facts),
        "notes": [*made.notes, *further],
    }


def failure_as_json(node_id: NodeId | None, error: RecoveryError) -> dict[str, Any]:
    """Return the failure that keeps anybody from making a plan, as the reason why there is none."""
    reason = {"message": error.message, "detail": error.detail, "hint": error.hint}
    return {
        "version": VERSION,
        "node_id": node_id,
        "target_runs": None,
        "target_streams": None,
        "target_found": None,
        "possible": False,
        "binds": False,
        "unbound": None,
        "reasons": [reason],
        "exit_status": error.exit_status,
        "notes": [],
    }


def reason_as_json(reason: Rejection) -> dict[str, str | None]:
    """Return a reason in its parts."""
    return {"message": reason.message, "detail": reason.detail, "hint": reason.hint}


def _old_bytes(facts: Facts) -> int:
    """Return how much data the target has, of which one place may be a part of another."""
    target = facts.target
    places = {place.path: place for place in (target.data, *target.tablespaces.values())}
    return sum(place.size_bytes for place in places.values())


def _host_of(step: Step) -> str:
    """Return on which of the two hosts a step leaves something behind."""
    return "primary" if step.touches is Touches.PRIMARY else "target"


def _plan(plan: Plan) -> dict[str, Any]:
    final = plan.point_of_no_return
    return {
        "method": str(plan.method),
        "summary": plan.summary,
        "moved_bytes": plan.moved_bytes,
        "old_data": plan.old_data.value,
        "slot_name": plan.slot_name,
        "needs": rooms_as_json(plan.needs),
        "steps": [
            {"number": number, "sentence": str(step), "touches": _host_of(step)}
            for number, step in enumerate(plan.steps, start=1)
        ],
        "point_of_no_return": None if final is None else plan.steps.index(final) + 1,
        "passed_over": [
            {"method": str(over.method), "reasons": [reason_as_json(r) for r in over.reasons]}
            for over in plan.passed_over
        ],
    }
