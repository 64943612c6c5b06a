"""The ladder: the first method that is possible, and for each one above it why it is not."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from pgpool_recovery.domain.node import Target
from pgpool_recovery.plan import attach, basebackup, catch_up, incremental, restore, rewind
from pgpool_recovery.plan.facts import Facts
from pgpool_recovery.plan.plan import PassedOver, Plan
from pgpool_recovery.plan.policy import Method, Policy
from pgpool_recovery.plan.refusal import notes, refuse
from pgpool_recovery.plan.rejection import Rejection
from pgpool_recovery.plan.situation import Situation

Propose = Callable[[Situation], Plan | tuple[Rejection, ...]]

METHODS: dict[Method, Propose] = {
    Method.ATTACH: attach.propose,
    Method.CATCH_UP: catch_up.propose,
    Method.REWIND: rewind.propose,
    Method.INCREMENTAL: incremental.propose,
    Method.RESTORE: restore.propose,
    Method.BASEBACKUP: basebackup.propose,
}


def make_plan(
    target: Target, facts: Facts, policy: Policy, failed: Iterable[PassedOver] = ()
) -> Plan | tuple[Rejection, ...]:
    """Return the plan, or every reason why there is none.

    `failed` are methods that were tried in this run, and why they failed. They stand among those
    that are passed over, in the policy's order.
    """
    situation = Situation(target, facts, policy)
    passed: list[PassedOver] = list(failed)
    tried = {over.method for over in passed}
    methods = [method for method in policy.methods if method not in tried]
    if Method.ATTACH in methods:
        made = attach.propose(situation)
        if isinstance(made, Plan):
            return made
    rejections = tuple(refuse(situation))
    if rejections:
        return rejections
    for method in methods:
        made = METHODS[method](situation)
        if isinstance(made, Plan):
            over = _in_order(passed, policy)
            return replace(made, passed_over=over, notes=tuple(notes(target, facts)))
        is_expected = made != (restore.NOT_CONFIGURED,) or policy.methods == (method,)
        if is_expected:
            passed.append(PassedOver(method, made))
    return tuple(_none(_in_order(passed, policy)))


def _in_order(passed: Iterable[PassedOver], policy: Policy) -> tuple[PassedOver, ...]:
    return tuple(sorted(passed, key=lambda over: policy.methods.index(over.method)))


def _none(passed: Iterable[PassedOver]) -> Iterable[Rejection]:
    """Say why no method is possible: in full for the last one, in a line for the others."""
    *others, last = passed
    yield from last.reasons
    yield from (Rejection(str(over), is_aside=True) for over in others)
