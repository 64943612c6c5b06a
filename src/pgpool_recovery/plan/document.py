"""The plan as JSON, version 1: what a recovery would do, as plain data for every reader.

Both ends are here: the build on the primary writes it, and the build of the command line, which may
be older or newer, reads it.
"""

from collections.abc import Mapping
from typing import Any

from pgpool_recovery.domain.error import RecoveryError, Refused, kind_of_status
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.text import with_detail
from pgpool_recovery.facts.facts import Facts
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.step.place import Touches
from pgpool_recovery.facts.step.step import Step
from pgpool_recovery.plan.attach import streams
from pgpool_recovery.plan.harm import Harm, harm_of, read_harm
from pgpool_recovery.plan.plan import OldData, Plan
from pgpool_recovery.plan.space import rooms_as_json

VERSION = 1
HARMLESS = {
    OldData.NONE: "there is no old data",
    OldData.KEPT: "the data directory stays where it is, and nothing in it is replaced",
    OldData.OUT: "the data directory, left out of its place by a run that was interrupted, is put "
    "back",
}
"""Builds that do not know `old_data_is` recognize by these sentences that no data is removed.

So `old_data` keeps this wording even where the sentence for the operator reads differently.
"""
NOT_TIDY = (
    "an earlier recovery was interrupted; the next one first cleans up what it left half done, and "
    "the plan may then be different"
)


@record
class PlanDocument:
    """The plan as the command line reads it; `fields` holds all that the primary's build wrote."""

    fields: Mapping[str, Any]

    @property
    def is_possible(self) -> bool:
        """Whether a method is possible."""
        return bool(self.fields["possible"])

    @property
    def method(self) -> str | None:
        """The method; None if none is possible."""
        return self.fields.get("method") or None

    @property
    def sentences(self) -> tuple[str, ...]:
        """The plan as an operator reads it."""
        return tuple(self.fields.get("sentences") or ())

    @property
    def steps(self) -> tuple[str, ...]:
        """What the steps do, in order."""
        return tuple(step["sentence"] for step in self.fields.get("steps") or ())

    @property
    def needs(self) -> tuple[Mapping[str, Any], ...]:
        """The space that is needed on each filesystem."""
        return tuple(self.fields.get("needs") or ())

    @property
    def destroys(self) -> bool:
        """Whether something is changed or removed that cannot be restored."""
        if self.fields.get("point_of_no_return") is not None:
            return True
        if "old_data_is" in self.fields:
            return self.fields["old_data_is"] not in {kept.word for kept in HARMLESS}
        return self.fields.get("old_data") not in HARMLESS.values()

    @property
    def harm(self) -> Harm | None:
        """How much harm it does to the node; None if the build does not say so in our words."""
        return read_harm(self.fields.get("harm"))

    @property
    def unbound(self) -> str | None:
        """Why a recovery would not keep to the plan; None if it does.

        Empty if the build does not say why. A build that does not say `binds` keeps to nothing.
        """
        if self.fields.get("binds"):
            return None
        return str(self.fields.get("unbound") or "")

    @property
    def is_streaming(self) -> bool:
        """Whether the target already streams from the primary."""
        return bool(self.fields.get("target_streams"))

    @property
    def old_bytes(self) -> int | None:
        """How many bytes of data the target has; None if the build does not say."""
        found = self.fields.get("old_bytes")
        return found if isinstance(found, int) else None

    @property
    def gives_up(self) -> str | None:
        """The sentence that says what is lost for good; None if nothing is."""
        return self.fields.get("gives_up") or None

    @property
    def target_found(self) -> str | None:
        """The sentence that describes what is on the target now."""
        return self.fields.get("target_found") or None

    @property
    def first_reason(self) -> str | None:
        """The message of the first reason why no recovery is possible."""
        (reason, *_) = self.fields.get("reasons") or [{}]
        return reason.get("message") or None

    @property
    def now(self) -> "PlanDocument | None":
        """The plan for the node as it is now, if this plan assumes that the node was lost."""
        now = self.fields.get("now")
        return None if now is None else PlanDocument(now)

    @property
    def failure(self) -> RecoveryError:
        """The error that says why no recovery is possible, with further reasons in its detail."""
        reasons = self.fields.get("reasons") or [{}]
        first, *others = reasons
        also = [with_detail(reason["message"], reason.get("detail")) for reason in others]
        detail = "\n".join(filter(None, [first.get("detail"), *also])) or None
        hints = dict.fromkeys(reason["hint"] for reason in reasons if reason.get("hint"))
        kind = kind_of_status(int(self.fields.get("exit_status") or Refused.exit_status))
        message = first.get("message") or "no recovery is possible"
        return kind(message, detail=detail, hint=" ".join(hints) or None)


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

    `found` is the sentence that describes what is on the target now. `stops`: the running server is
    stopped first. `unbound` says why an agreement would not reach the run (plan/agreement.py).
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
    stopped = ["its server is running and is stopped first"] if stops else []
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
    """Return the error that prevented planning as the reason why there is no plan."""
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
    """Return a reason as message, detail and hint."""
    return {"message": reason.message, "detail": reason.detail, "hint": reason.hint}


def _old_bytes(facts: Facts) -> int:
    """Return how much data the target has, counting each directory once."""
    target = facts.target
    places = {place.path: place for place in (target.data, *target.tablespaces.values())}
    return sum(place.size_bytes for place in places.values())


def _host_of(step: Step) -> str:
    """Return which of the two hosts a step leaves something behind on."""
    return "primary" if step.touches is Touches.PRIMARY else "target"


def _plan(plan: Plan) -> dict[str, Any]:
    final = plan.point_of_no_return
    return {
        "method": str(plan.method),
        "source": plan.source,
        "summary": plan.summary,
        "moved_bytes": plan.moved_bytes,
        "work_bytes": plan.work_bytes,
        "seconds": None if plan.duration is None else round(plan.duration.seconds),
        "wal_bytes": None if plan.forecast is None else plan.forecast.wal_bytes,
        "old_data": HARMLESS.get(plan.old_data, plan.old_data.value),
        "old_data_is": plan.old_data.word,
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
