"""What was agreed to is the limit of a run: who agreed, and what is said when more is needed.

What a person has agreed to travels in the name of a session on the primary (application_name),
of 63 bytes at most. It is there as long as the session, needs no table and no file, and every
database of the server sees it. Whoever cannot recover nodes may call his sessions what he likes:
observe/consent.py believes only those of roles that can.
"""

import zlib
from collections.abc import Sequence

from pgpool_recovery.domain.error import PlanChanged
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.record import record
from pgpool_recovery.facts.policy import Method, Policy
from pgpool_recovery.plan.harm import UNATTENDED, Harm, excess, harm_of, read_harm
from pgpool_recovery.plan.plan import PassedOver, Plan
from pgpool_recovery.plan.space import rooms_as_json

PROGRAM = "pgpool-recovery"
ASKS, AGREED, CALLS = "asks", "agreed", "calls"
"""What a session says: that a plan is being agreed to, that it was, and that in this session."""
LOCK_CLASS = 0x70677263
"""Of the advisory lock by which a run says that it has read an agreement; beside it the session's
process."""


def place_of(target: Target) -> str:
    """Return eight characters that stand for the directory that is to be recovered.

    >>> place_of(Target("server2", "/var/lib/pgsql/15/data"))
    '969a1c63'
    """
    return f"{zlib.crc32(f'{target.host}:{target.data_directory}'.encode(errors='replace')):08x}"


def session_name(kind: str, target: Target, harm: Harm | None = None) -> str:
    """Return what a session is called."""
    words = () if harm is None else (harm.words(),)
    return " ".join((PROGRAM, kind, place_of(target), *words))


def read_name(name: str, kind: str, target: Target) -> Harm | None:
    """Return what a session says was agreed for a target; None when it says no such thing."""
    head = f"{session_name(kind, target)} "
    return read_harm(name.removeprefix(head)) if name.startswith(head) else None


@record
class Agreement:
    """How much harm a run may do.

    `by` is the role whose session says so; None: nobody was asked, and the policy says it. `harm`
    None: nothing may be done.
    """

    harm: Harm | None
    by: str | None = None
    policy: str = ""

    def refusal(
        self, plan: Plan, failed: Sequence[PassedOver] = (), *, stops: bool = False
    ) -> PlanChanged | None:
        """Return why a plan may not be followed; None when it is within what was agreed."""
        if plan.method is Method.ATTACH and not stops:
            return None
        needed = harm_of(plan, stops=stops)
        beyond = (str(needed),) if self.harm is None else excess(needed, self.harm)
        if not beyond:
            return None
        lines = [
            self._agreed(),
            f"Would be needed: {plan.method}: {'; '.join(beyond)}.",
            *(f"{over.method} has failed: {_reasons(over)}" for over in failed),
        ]
        refusal = PlanChanged(self._message(plan), detail="\n".join(lines), hint=self._hint(plan))
        refusal.data = {
            "method": str(plan.method),
            "harm": needed.words(),
            "sentences": list(plan.sentences()),
            "needs": rooms_as_json(plan.needs),
            "gives_up": plan.gives_up,
        }
        return refusal

    def _agreed(self) -> str:
        if self.by is None:
            return f'Without a person the settings allow: policy.unattended = "{self.policy}".'
        return f"Agreed was: {self.harm}."

    def _message(self, plan: Plan) -> str:
        if self.by is None:
            return f"the recovery of {plan.target_name} needs more than is allowed without a person"
        return f"the plan of {plan.target_name} has changed"

    def _hint(self, plan: Plan) -> str:
        again = 'Nothing of that was begun. "pgpool-recovery recover" shows the plan and asks; '
        return again + f"--at-most {plan.method} allows it beforehand."


def unattended(policy: Policy) -> Agreement:
    """Return what may be done when nobody was asked."""
    return Agreement(UNATTENDED.get(policy.unattended), policy=policy.unattended)


def _reasons(over: PassedOver) -> str:
    return "; ".join(f"{reason.message}." for reason in over.reasons)
