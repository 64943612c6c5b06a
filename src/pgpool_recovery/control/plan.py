"""The plan of a recovery, as the function pgpool_recovery_plan gives it on the primary."""

from collections.abc import Mapping
from typing import Any

from pgpool_recovery.control.cluster import Node
from pgpool_recovery.control.extension import Feature, Primary
from pgpool_recovery.domain.error import RecoveryError, Refused, kind_of_status
from pgpool_recovery.domain.node import Target, parse_data_directory
from pgpool_recovery.domain.record import record
from pgpool_recovery.plan.harm import Harm, read_harm
from pgpool_recovery.plan.plan import OldData

PLAN_SCRIPT = "pgpool_recovery_plan"
HARMLESS = frozenset(
    {word for kept in (OldData.NONE, OldData.KEPT, OldData.OUT) for word in (kept.name, kept.value)}
)


@record
class PlannedRecovery:
    """What a recovery of a node would do, or why none is possible; `document` is all of it."""

    node: Node
    document: Mapping[str, Any]

    @property
    def is_possible(self) -> bool:
        """Whether there is a method."""
        return bool(self.document["possible"])

    @property
    def sentences(self) -> tuple[str, ...]:
        """The plan as an operator reads it."""
        return tuple(self.document.get("sentences") or ())

    @property
    def steps(self) -> tuple[str, ...]:
        """What the steps do, in their order."""
        return tuple(step["sentence"] for step in self.document.get("steps") or ())

    @property
    def destroys(self) -> bool:
        """Whether something is changed or removed that cannot be had back."""
        if self.document.get("point_of_no_return") is not None:
            return True
        return str(self.document.get("old_data")) not in HARMLESS

    @property
    def harm(self) -> Harm | None:
        """How much it does to the node; None when the primary's build does not say, or another."""
        return read_harm(self.document.get("harm"))

    @property
    def now(self) -> "PlannedRecovery":
        """The plan for the node as it is: of a standby that streams not that of its loss."""
        document = self.document.get("now")
        return self if document is None else PlannedRecovery(self.node, document)

    def refusal(self) -> RecoveryError:
        """Return the failure that says why no recovery is possible."""
        reasons = self.document.get("reasons") or [{}]
        first, *others = reasons
        also = [_in_a_line(reason) for reason in others]
        detail = "\n".join(filter(None, [first.get("detail"), *also])) or None
        hints = dict.fromkeys(reason["hint"] for reason in reasons if reason.get("hint"))
        kind = kind_of_status(int(self.document.get("exit_status") or Refused.exit_status))
        message = first.get("message") or "no recovery is possible"
        failure = kind(message, detail=detail, hint=" ".join(hints) or None)
        return failure.about(self.node.name)


def read_plan(primary: Primary, node: Node, *, within_s: float) -> PlannedRecovery:
    """Ask the primary what a recovery of the node would do; nothing is changed by that.

    Raises Refused when the extension there has no such function.
    """
    with primary.connect(Feature.PLAN, answer_s=within_s) as connection:
        rows = connection.call(
            "plan_recovery", lambda _line: None, **call_parameters(primary.node, node)
        )
    return PlannedRecovery(node, rows[0]["plan"])


def why_no_plan(primary: Primary) -> str | None:
    """Return why nobody on the primary can make a plan; a recovery may be possible all the same.

    Raises Refused where the extension is not at all, as far as every database was looked into:
    nothing can be recovered without it.
    """
    if not primary.has(Feature.PLAN):
        lacks = primary.lacks(Feature.PLAN)
        if not (primary.extensions or primary.foreign or primary.unseen):
            raise lacks
        parts = (lacks.message, lacks.detail and f"({lacks.detail})", lacks.hint)
        return " ".join(filter(None, parts))
    with primary.connect(Feature.PLAN) as connection:
        if not connection.row("may_look")["may_look"]:
            return None
        [script] = connection.rows("scripts", names=[PLAN_SCRIPT])
    return None if script["is_there"] else f'the primary has no script "{PLAN_SCRIPT}"'


def refuse_primary(primary: Node, node: Node) -> None:
    """Raise Refused when the node is the primary, from which there is nothing to recover."""
    if primary == node:
        raise Refused(
            f"{node.name} is the primary",
            detail="A recovery brings another node behind it.",
            hint='How it would come back after a failover is said by "pgpool-recovery check".',
        )


def call_parameters(primary: Node, node: Node) -> dict[str, object]:
    """Return what Pgpool-II tells the primary of the node that is to be recovered."""
    return {
        "host": node.told_host,
        "data_directory": node.data_directory,
        "primary_port": str(primary.port),
        "node_id": node.node_id,
        "port": str(node.port),
        "primary_host": primary.told_host,
    }


def target_of(node: Node) -> Target:
    """Return the node as the stages know it, by the same words."""
    directory = parse_data_directory(node.data_directory)
    return Target(node.told_host, directory, node.node_id, node.port)


def _in_a_line(reason: Mapping[str, Any]) -> str:
    detail = reason.get("detail")
    return f"{reason['message']} ({' '.join(detail.split())})" if detail else reason["message"]
