"""Agree to a plan: whether to ask, what the answer allows, and whether it can be enforced."""

from collections.abc import Callable

from pgpool_recovery.control.cluster import Node
from pgpool_recovery.control.plan import PlannedRecovery
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import record
from pgpool_recovery.plan.harm import Harm, excess

OLDER_BUILD = "pgpool-recovery on the primary is an older version"
NO_PLAN = "there is no plan"
OWN_STAGE = "the first stage of pgpool.conf is not pgpool-recovery's"


@record
class ConsentQuestion:
    """What a person is asked.

    `unbound`: why the recovery cannot be limited to the answer. `elsewhere`: a sentence that says
    where the node was at its last recovery. `is_again`: the plan has changed since it was agreed
    to. `is_within`: a limit was given with the command, and the plan is within it.
    """

    node: Node
    plan: PlannedRecovery | None
    unbound: str | None = None
    elsewhere: str | None = None
    is_again: bool = False
    is_within: bool = False

    @property
    def is_needed(self) -> bool:
        """Whether the question has to be asked at all."""
        if self.plan is None or self.is_again or self.unbound or self.elsewhere:
            return True
        return self.plan.document.destroys and not self.is_within


AskPerson = Callable[[ConsentQuestion], None]
"""Raises if the person does not agree."""


def agree(
    node: Node,
    plan: PlannedRecovery | None,
    ask: AskPerson,
    at_most: Harm | None,
    *,
    elsewhere: str | None = None,
    is_again: bool = False,
    is_own_stage: bool = False,
) -> Harm | None:
    """Return what was agreed to, None if the recovery cannot be limited to it; raises for a no.

    Raises Refused if the plan does more than `at_most` allows, and if the recovery cannot be
    limited to `at_most`: a yes does not cover that.
    """
    harm = None if plan is None else plan.document.harm
    if plan is not None and harm is not None and at_most is not None:
        _refuse_beyond(node, plan, harm, at_most)
    unbound = why_unbound(plan, is_own_stage=is_own_stage)
    if unbound is not None and at_most is not None:
        raise Refused(
            f"the recovery of {node.name} cannot be limited by --at-most",
            detail=f"{unbound[:1].upper()}{unbound[1:]}.",
            hint="Nothing was started. Without --at-most you are asked to confirm it.",
        )
    ask(ConsentQuestion(node, plan, unbound, elsewhere, is_again, at_most is not None))
    return None if unbound is not None else (at_most or harm)


def why_unbound(plan: PlannedRecovery | None, *, is_own_stage: bool) -> str | None:
    """Return why the agreement does not reach the run; None if it does."""
    if plan is None:
        return NO_PLAN
    if is_own_stage:
        return OWN_STAGE
    document = plan.document
    if document.harm is None:
        return OLDER_BUILD
    return None if document.unbound is None else document.unbound or OLDER_BUILD


def _refuse_beyond(node: Node, plan: PlannedRecovery, harm: Harm, at_most: Harm) -> None:
    beyond = excess(harm, at_most)
    if beyond:
        raise Refused(
            f"the plan for {node.name} does more than --at-most allows",
            detail=f"Allowed: {at_most}.\nNeeded: {plan.document.method}: {'; '.join(beyond)}.",
            hint=f'Nothing was started. "pgpool-recovery plan {node.node_id}" shows why that much '
            "is needed.",
        )
