"""Agree to a plan: what is asked, what the answer allows, and how it gets to the primary."""

from collections.abc import Callable

from pgpool_recovery.control.cluster import Node
from pgpool_recovery.control.plan import PlannedRecovery
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import record
from pgpool_recovery.plan.harm import Harm, excess

OLDER_BUILD = "pgpool-recovery on the primary is of an older version"
NO_PLAN = "there is no plan"
OWN_STAGE = "the first stage of pgpool.conf is not pgpool-recovery's"


@record
class ConsentQuestion:
    """What a person is asked.

    `unbound`: why the recovery cannot be held to the answer. `elsewhere`: where the node was the
    last time. `is_again`: the plan has changed since it was agreed to.
    """

    node: Node
    plan: PlannedRecovery | None
    unbound: str | None = None
    elsewhere: str | None = None
    is_again: bool = False
    is_within: bool = False

    @property
    def is_needed(self) -> bool:
        """Whether it has to be asked at all; `is_within`: its limit was given with the command."""
        if self.plan is None or self.is_again or self.unbound or self.elsewhere:
            return True
        return self.plan.document.destroys and not self.is_within


AskPerson = Callable[[ConsentQuestion], None]
"""Raises when the person does not want it."""


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
    """Return what was agreed to, None when the recovery cannot be held to it; raises for a no.

    Refused where the plan does more than the command allows, and where a limit was given with the
    command to which the recovery cannot be held: a yes says nothing of that.
    """
    harm = None if plan is None else plan.document.harm
    if plan is not None and harm is not None and at_most is not None:
        _refuse_beyond(node, plan, harm, at_most)
    unbound = why_unbound(plan, is_own_stage=is_own_stage)
    if unbound is not None and at_most is not None:
        raise Refused(
            f"the recovery of {node.name} cannot be held to --at-most",
            detail=f"{unbound[:1].upper()}{unbound[1:]}.",
            hint="Nothing was begun. Without --at-most it is asked about.",
        )
    ask(ConsentQuestion(node, plan, unbound, elsewhere, is_again, at_most is not None))
    return None if unbound is not None else (at_most or harm)


def why_unbound(plan: PlannedRecovery | None, *, is_own_stage: bool) -> str | None:
    """Return why what is agreed to does not get to the run; None when it does."""
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
            f"the plan of {node.name} does more than --at-most allows",
            detail=f"Allowed: {at_most}.\nWould be needed: {plan.document.method}: "
            f"{'; '.join(beyond)}.",
            hint=f'Nothing was begun. "pgpool-recovery plan {node.node_id}" says why it takes '
            "that much.",
        )
