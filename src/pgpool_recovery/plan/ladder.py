"""The ladder: the first method that is possible, and why each one above it is not."""

from collections.abc import Callable, Iterable

from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.record import replace
from pgpool_recovery.facts.facts import Facts
from pgpool_recovery.facts.policy import Method, Policy
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.plan import (
    attach,
    basebackup,
    catch_up,
    command,
    delta,
    incremental,
    repoint,
    restore,
    rewind,
)
from pgpool_recovery.plan.duration import duration_of
from pgpool_recovery.plan.given_up import given_up
from pgpool_recovery.plan.partial_copy import keeping_copy, notes_on_copy
from pgpool_recovery.plan.plan import PassedOver, Plan
from pgpool_recovery.plan.refusal import notes, refuse
from pgpool_recovery.plan.situation import Situation
from pgpool_recovery.plan.stop import once_stopped

Propose = Callable[[Situation], Plan | tuple[Rejection, ...]]

METHODS: dict[Method, Propose] = {
    Method.ATTACH: attach.propose,
    Method.REPOINT: repoint.propose,
    Method.CATCH_UP: catch_up.propose,
    Method.REWIND: rewind.propose,
    Method.INCREMENTAL: incremental.propose,
    Method.RESTORE: restore.propose,
    Method.COMMAND: command.propose,
    Method.DELTA: delta.propose,
    Method.BASEBACKUP: basebackup.propose,
}
NO_NEWS = ((restore.NOT_CONFIGURED,), (command.NOT_CONFIGURED,))


def make_plan(
    target: Target, facts: Facts, policy: Policy, failed: Iterable[PassedOver] = ()
) -> Plan | tuple[Rejection, ...]:
    """Return the plan, or every reason why there is none.

    `failed` are the methods that were tried in this run, and why they failed. They are listed among
    the methods that are passed over, in the policy's order.
    """
    passed: list[PassedOver] = list(failed)
    facts = _without_tried(facts, passed)
    situation = Situation(target, facts, policy)
    tried = {over.method for over in passed if not (over.own and facts.own_methods)}
    methods = [method for method in policy.methods if method not in tried]
    if Method.ATTACH in methods:
        made = attach.propose(situation)
        if isinstance(made, Plan):
            return made
    if facts.target.server_pid is not None:
        return _while_it_runs(situation, methods, passed)
    rejections = tuple(refuse(situation))
    if rejections:
        return rejections
    no_news: list[PassedOver] = []
    for method in methods:
        made = METHODS[method](situation)
        if isinstance(made, Plan):
            return _told(made, situation, passed)
        over = no_news if _is_no_news(method, made) else passed
        over.append(PassedOver(method, made))
    return tuple(_none(_in_order(passed or no_news, policy)))


def _while_it_runs(
    situation: Situation, methods: Iterable[Method], passed: list[PassedOver]
) -> Plan | tuple[Rejection, ...]:
    """Return the plan that leaves the server running, or why it must be stopped first."""
    stopped = replace(situation, facts=once_stopped(situation.facts))
    if Method.REPOINT in methods and not any(refuse(stopped)):
        made = repoint.propose(situation)
        if isinstance(made, Plan):
            if Method.ATTACH in methods:
                passed.append(PassedOver(Method.ATTACH, (attach.not_streaming(situation.name),)))
            return _told(made, situation, passed)
        passed.append(PassedOver(Method.REPOINT, made))
    asides = _as_asides(_in_order(passed, situation.policy))
    return (*refuse(situation), *asides)


def _without_tried(facts: Facts, failed: Iterable[PassedOver]) -> Facts:
    """Return the facts without the commands of the user's that have failed in this run."""
    tried = {over.own for over in failed}
    left = tuple(method for method in facts.own_methods if method.name not in tried)
    return replace(facts, own_methods=left)


def _told(made: Plan, situation: Situation, passed: Iterable[PassedOver]) -> Plan:
    over = _in_order((*passed, *made.passed_over), situation.policy)
    own_notes = notes(situation.target, situation.facts, made.method)
    said = (*made.notes, *own_notes, *situation.notes_on_slots())
    lost = given_up(situation, made.method)
    has_copy = situation.facts.target.copy is not None
    steps = keeping_copy(made.method, made.steps) if has_copy else made.steps
    said = (*said, *notes_on_copy(situation, steps))
    return replace(
        made,
        passed_over=over,
        notes=said,
        gives_up=lost,
        steps=steps,
        duration=duration_of(situation, made.method, made.work_bytes, made.kind),
    )


def _is_no_news(method: Method, made: tuple[Rejection, ...]) -> bool:
    """Return whether it goes without saying: there is no server to repoint, or no repository."""
    return method is Method.REPOINT or made in NO_NEWS


def _in_order(passed: Iterable[PassedOver], policy: Policy) -> tuple[PassedOver, ...]:
    return tuple(sorted(passed, key=lambda over: policy.methods.index(over.method)))


def _none(passed: Iterable[PassedOver]) -> Iterable[Rejection]:
    """Report why no method is possible: in full for the last one, in one line for each other."""
    *others, last = passed
    yield from last.reasons
    yield from _as_asides(others)


def _as_asides(passed: Iterable[PassedOver]) -> Iterable[Rejection]:
    yield from (Rejection(str(over), is_aside=True) for over in passed)
