"""Read the plan of a recovery from the function pgpool_recovery_plan on the primary."""

from pgpool_recovery.control.cluster import Node
from pgpool_recovery.control.extension import Feature, Primary
from pgpool_recovery.domain.error import RecoveryError, Refused
from pgpool_recovery.domain.node import Target, parse_data_directory
from pgpool_recovery.domain.record import record
from pgpool_recovery.plan.document import PlanDocument

PLAN_SCRIPT = "pgpool_recovery_plan"


@record
class PlannedRecovery:
    """What a recovery of a node would do, or why none is possible."""

    node: Node
    document: PlanDocument

    @property
    def now(self) -> "PlannedRecovery":
        """The plan for the node as it is: for a streaming standby, not the plan for its loss."""
        now = self.document.now
        return self if now is None else PlannedRecovery(self.node, now)

    def refusal(self) -> RecoveryError:
        """Return the failure that says why no recovery is possible."""
        return self.document.failure.about(self.node.name)


def read_plan(primary: Primary, node: Node, *, within_s: float) -> PlannedRecovery:
    """Ask the primary what a recovery of the node would do; this changes nothing.

    Raises Refused if the extension there has no such function.
    """
    with primary.connect(Feature.PLAN, answer_s=within_s) as connection:
        rows = connection.call(
            "plan_recovery", lambda _line: None, **call_parameters(primary.node, node)
        )
    return PlannedRecovery(node, PlanDocument(rows[0]["plan"]))


def why_no_plan(primary: Primary) -> str | None:
    """Return why no plan can be made on the primary; a recovery may still be possible.

    Raises Refused if every database could be examined and none has the extension: nothing can be
    recovered without it.
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
    """Raise Refused if the node is the primary, which cannot be recovered from another node."""
    if primary == node:
        raise Refused(
            f"{node.name} is the primary",
            detail="A recovery makes another node follow it.",
            hint='"pgpool-recovery check" shows how it would be recovered after a failover.',
        )


def call_parameters(primary: Node, node: Node) -> dict[str, object]:
    """Return what Pgpool-II passes to the primary about the node to be recovered."""
    return {
        "host": node.told_host,
        "data_directory": node.data_directory,
        "primary_port": str(primary.port),
        "node_id": node.node_id,
        "port": str(node.port),
        "primary_host": primary.told_host,
    }


def target_of(node: Node) -> Target:
    """Return the node as the stages know it, by the same values."""
    directory = parse_data_directory(node.data_directory)
    return Target(node.told_host, directory, node.node_id, node.port)
