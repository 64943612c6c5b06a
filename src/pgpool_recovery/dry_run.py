"""Observe and plan without running: what a recovery would do. Nothing is changed on any host."""

from functools import partial
from typing import Any

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.decision import BothServers, look_further
from pgpool_recovery.domain.error import Busy, Refused, Unreachable
from pgpool_recovery.domain.event import pay_no_heed
from pgpool_recovery.domain.node import RecoveryRequest, Target
from pgpool_recovery.facts.facts import Facts
from pgpool_recovery.facts.policy import Policy
from pgpool_recovery.observe.consent import why_unbound
from pgpool_recovery.observe.primary import observe_primary
from pgpool_recovery.observe.target import observe_target
from pgpool_recovery.plan.attach import streams
from pgpool_recovery.plan.document import failure_as_json, plan_as_json
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.plan.stop import may_stop, once_lost, once_stopped
from pgpool_recovery.run.called_agent import CalledAgent
from pgpool_recovery.run.own_server import own_server
from pgpool_recovery.run.sessions import agent_of, naming
from pgpool_recovery.talk.request.directory import AskState, IsTidy

FOREIGN_STAGE = "the recovery_1st_stage of the primary is not pgpool-recovery's"


def foresee(
    request: RecoveryRequest,
    settings: Settings,
    *,
    is_own_stage: bool = True,
    called: CalledAgent | None = None,
) -> dict[str, Any]:
    """Return what a recovery of the target would do now, as the JSON of plan/document.py.

    A standby that streams is treated as if it had just been lost; "now" then has the plan for it as
    it is. Whatever keeps a recovery from beginning, including a host that cannot be reached, is a
    reason why there is no plan. `is_own_stage`: the first stage that Pgpool-II calls is ours and
    keeps to what was agreed to. `called`: the agent of the target, if it was called before.
    """
    try:
        with naming(request.target):
            return _foresee(request, settings, called, is_own_stage=is_own_stage)
    except (Refused, Unreachable, Busy) as error:
        return failure_as_json(request.target.node_id, error)


def _foresee(
    request: RecoveryRequest,
    settings: Settings,
    called: CalledAgent | None,
    *,
    is_own_stage: bool,
) -> dict[str, Any]:
    target = request.target
    with (
        own_server(settings) as connection,
        agent_of(target, settings, pay_no_heed, called) as agent,
    ):
        primary = observe_primary(connection)
        patience = settings.agent.answer_s
        unbound = why_unbound(connection, target) if is_own_stage else FOREIGN_STAGE
        is_tidy = agent.ask(IsTidy(target.data_directory), timeout_s=patience)
        asked = AskState(target.data_directory)
        seen = agent.ask(asked, timeout_s=patience)
        facts = observe_target(connection, agent, request, primary, settings, tidies=False)
        foreseen = _foreseen(target, facts, settings.policy)
        servers = BothServers(request, settings, connection, agent, lambda: primary)
        plan_again = partial(make_plan, target, policy=settings.policy)
        foreseen, plan = look_further(servers, foreseen, plan_again(foreseen), plan_again, {})
    told = partial(plan_as_json, target, facts, is_tidy=is_tidy, found=seen.what, unbound=unbound)
    if not streams(facts):
        return told(plan, stops=_is_stopped(facts, foreseen))
    # The plan for a streaming standby assumes that it was lost; "now" is the plan for it as it is.
    now = _as_it_is(target, facts, settings.policy)
    made = make_plan(target, now, settings.policy)
    return {**told(plan), "now": told(made, stops=_is_stopped(facts, now))}


def _foreseen(target: Target, facts: Facts, policy: Policy) -> Facts:
    """Return the facts that the recovery would be planned from."""
    return once_lost(facts) if streams(facts) else _as_it_is(target, facts, policy)


def _is_stopped(facts: Facts, foreseen: Facts) -> bool:
    return facts.target.server_pid is not None and foreseen.target.server_pid is None


def _as_it_is(target: Target, facts: Facts, policy: Policy) -> Facts:
    """Return the facts; if a running server must be stopped, and may be, as if it were stopped."""
    goes_on_running = isinstance(make_plan(target, facts, policy), Plan)
    return facts if goes_on_running or not may_stop(facts, policy) else once_stopped(facts)
