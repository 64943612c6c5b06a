"""The agreement that limits a run: who gave it, and the refusal when a plan needs more.

What a user has agreed to travels in the name of a session on the primary (application_name), in 63
bytes at most. It exists as long as the session does, needs no table and no file, and is visible
from every database of the server. Any user can choose that name, so observe/consent.py trusts only
the sessions of roles that may recover nodes.
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
"""The kinds of session: it asks for an agreement, was given one, or calls the recovery as well."""
LOCK_CLASS = 0x70677263
"""Class of the advisory lock by which a run shows that it has read an agreement.

The object ID of the lock is the process ID of the session.
"""


def place_of(target: Target) -> str:
    """Return eight characters that identify the directory to be recovered.

    >>> place_of(Target("server2", "/var/lib/pgsql/15/data"))
    '969a1c63'
    """
    return f"{zlib.crc32(f'{target.host}:{target.data_directory}'.encode(errors='replace')):08x}"


def session_name(kind: str, target: Target, harm: Harm | None = None) -> str:
    """Return the name of a session."""
    words = () if harm is None else (harm.words(),)
    return " ".join((PROGRAM, kind, place_of(target), *words))


def read_name(name: str, kind: str, target: Target) -> Harm | None:
    """Return what a session's name says was agreed to for a target; None if it says nothing."""
    head = f"{session_name(kind, target)} "
    return read_harm(name.removeprefix(head)) if name.startswith(head) else None


@record
class Agreement:
    """How much harm a run may do.

    `by` is the role whose session says so; None if no user was asked and the policy decides. If
    `harm` is None, nothing may be done.
    """

    harm: Harm | None
    by: str | None = None
    policy: str = ""

    def refusal(
        self, plan: Plan, failed: Sequence[PassedOver] = (), *, stops: bool = False
    ) -> PlanChanged | None:
        """Return why a plan must not be followed; None if it is within what was agreed to."""
        if plan.method is Method.ATTACH and not stops:
            return None
        needed = harm_of(plan, stops=stops)
        beyond = (str(needed),) if self.harm is None else excess(needed, self.harm)
        if not beyond:
            return None
        lines = [
            self._agreed(),
            f"Needed beyond that: {plan.method}: {'; '.join(beyond)}.",
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
            return f'An unattended recovery is limited by policy.unattended = "{self.policy}".'
        return f"Agreed to: {self.harm}."

    def _message(self, plan: Plan) -> str:
        if self.by is None:
            return f"the recovery of {plan.target_name} needs more than may be done unattended"
        return f"the plan of {plan.target_name} has changed"

    def _hint(self, plan: Plan) -> str:
        again = 'None of that was started. "pgpool-recovery recover" shows the plan and asks; '
        return again + f"--at-most {plan.method} allows it in advance."


def unattended(policy: Policy) -> Agreement:
    """Return what a policy allows if no user was asked."""
    return Agreement(UNATTENDED.get(policy.unattended), policy=policy.unattended)


def _reasons(over: PassedOver) -> str:
    return "; ".join(f"{reason.message}." for reason in over.reasons)
