"""Recover a node: observe both servers, make a plan, carry it out, and verify the result.

This is the first stage. It ends with a target whose data is in place. Unless its server is already
running, it is started afterwards (remote_start.py): by the next call of Pgpool-II, or, if only WAL
was missing, within this one.
"""

import time
from collections.abc import Callable

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.decision import BothServers, Tried, choose, is_for_another
from pgpool_recovery.domain.error import (
    Incomplete,
    NotStreaming,
    QueryRefused,
    Refused,
    Undone,
    Unreachable,
)
from pgpool_recovery.domain.event import Emit, Finished, PlanMade, Said
from pgpool_recovery.domain.node import RecoveryRequest
from pgpool_recovery.domain.standby import StandbyFacts
from pgpool_recovery.facts.facts import PrimaryFacts
from pgpool_recovery.facts.step.standby import RepointRunning
from pgpool_recovery.facts.step.transfer import CheckMade, Delta
from pgpool_recovery.observe.consent import agreement_for
from pgpool_recovery.observe.made import see_made
from pgpool_recovery.observe.primary import observing_primary
from pgpool_recovery.plan.made import Accepted
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.run.called_agent import CalledAgent
from pgpool_recovery.run.known_state import learning_state
from pgpool_recovery.run.own_server import own_conninfo, own_server
from pgpool_recovery.run.own_slot import OwnSlot
from pgpool_recovery.run.party import Deadlines, Party
from pgpool_recovery.run.run_plan import Run
from pgpool_recovery.run.sessions import agent_of, files_of, leaving, naming, own_files
from pgpool_recovery.run.target_server import TargetServer
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.server import AskStandby, FindLog
from pgpool_recovery.verify.end_of_log import end_of_log
from pgpool_recovery.verify.following import wait_until_following
from pgpool_recovery.verify.streaming import Expected

Proceed = Callable[[Plan, Connection, Conversation, Callable[[], PrimaryFacts]], None]
"""What to do with a target that is ready to be started; the last argument observes the primary."""


def recover(
    request: RecoveryRequest,
    settings: Settings,
    emit: Emit,
    caller: int | None = None,
    called: CalledAgent | None = None,
    proceed: Proceed | None = None,
) -> Plan:
    """Prepare the target as a standby of this primary, up to the start of its server.

    When a method fails, both servers are observed again and the next possible method is tried. No
    plan is carried out that does more harm than was agreed to. Return the plan that succeeded;
    raise a RecoveryError that names the node and the state in which the target is left.

    `caller` is the process id of the backend whose session called this recovery, if there is one;
    `called` is the agent of the target, if it was started earlier. `proceed` is called once the
    target is ready to be started, to continue over the same connection and with the same agent.
    """
    began = time.monotonic()
    target = request.target
    with naming(target), learning_state(target, settings), own_server(settings) as connection:
        observe = observing_primary(connection)  # While the agent is still logging in.
        with agent_of(target, settings, emit, called) as agent:
            servers = BothServers(request, settings, connection, agent, observe)
            tried: Tried | None = None
            while True:
                plan = follow_ladder(servers, emit, caller, tried)
                emit(Finished("ready to be started", time.monotonic() - began))
                if proceed is None:
                    return plan
                try:
                    proceed(plan, connection, agent, observe.recent)
                except NotStreaming as error:
                    if not is_for_another(plan, error, settings.policy):
                        raise
                    tried = tried or Tried()
                    tried.add(plan, error)
                    emit(Said("runner", tried.news(plan)))
                else:
                    return plan


def follow_ladder(
    servers: BothServers, emit: Emit, caller: int | None, tried: Tried | None = None
) -> Plan:
    """Make a plan and carry it out; after a failure, plan again without what failed.

    Return the plan that succeeded. `Tried.is_final` says which failure ends it. A server that was
    stopped for the recovery is started again if the recovery fails and its data is as it was.
    `tried` is what has already failed, after the end of its plan.
    """
    target, settings = servers.request.target, servers.settings
    tried = tried or Tried()
    bound = agreement_for(servers.connection, target, settings.policy, caller)
    if bound.by is not None:
        emit(Said("runner", f"agreed by {bound.by}: {bound.harm}"))
    server = TargetServer(servers.agent, target, settings, emit, bound)
    with server.running_again():
        while True:
            with leaving(tried.state), tried.ended_if_nothing_is_left():
                plan = choose(servers, emit, server, tried)
                tried.refuse_other_than_going_on(plan)
                server.refuse_excess(plan, tried.failed)
                emit(PlanMade(plan.method, plan.sentences(), plan.work))
            try:
                carry_out(plan, servers, emit)
            except (Undone, Incomplete, Refused, QueryRefused, Unreachable) as error:
                if servers.agent.is_busy or tried.is_final(plan, error, settings.policy):
                    raise
                tried.add(plan, error)
                with leaving(tried.state):
                    emit(Said("runner", tried.news(plan)))
            else:
                return plan


def carry_out(plan: Plan, servers: BothServers, emit: Emit) -> None:
    """Take the steps of a plan, and undo them if one fails."""
    connection, agent, settings = servers.connection, servers.agent, servers.settings
    target = servers.request.target
    timeout = settings.timeout
    deadlines = Deadlines(
        stall_s=timeout.stall_s,
        undo_s=timeout.undo_s,
        answer_s=settings.agent.answer_s,
        connect_s=timeout.connect_s,
    )
    connect = lambda: own_server(settings, timeout.undo_s)  # noqa: E731 - for an undo
    slot = OwnSlot(connection, connect, own_conninfo(settings), emit, connect_s=deadlines.connect_s)

    def see(step: RepointRunning) -> None:
        see_following(connection, agent, plan, step, settings, emit)

    def judge(step: CheckMade) -> Accepted:
        return see_made(connection, agent, target, settings, step)

    node = next((step.source for step in plan.steps if isinstance(step, Delta)), None)
    source = own_files(target, settings) if node is None else files_of(node, target, settings)
    Run(Party(connection, agent, slot, emit, deadlines, see, source, judge)).carry_out(plan)


def see_following(
    connection: Connection,
    agent: Conversation,
    plan: Plan,
    step: RepointRunning,
    settings: Settings,
    emit: Emit,
) -> None:
    """Check that a standby that was repointed while running streams; else fail, quoting its log.

    If it has not caught up yet, that is only reported here. Like every standby, it must catch up in
    the next stage, the remote start.
    """
    patience, directory = settings.agent.answer_s, step.places.data.path
    login = step.login
    asked = AskStandby(directory, login["dbname"], login.get("user"), None, step.slot_name)

    def ask() -> StandbyFacts:
        return agent.ask(asked, timeout_s=patience)

    def read_log() -> str | None:
        log = agent.ask(FindLog(directory), timeout_s=patience)
        return end_of_log(agent, log, timeout_s=patience)

    timeout = settings.timeout
    limits = (timeout.streaming_s, timeout.catch_up_s, timeout.stall_s)
    expected = Expected(plan.target_name, step.slot_name, *limits)

    def tell(sentence: str) -> None:
        emit(Said("runner", f"{plan.target_name}: {sentence}"))

    if not wait_until_following(connection, expected, ask, read_log, agent.check, tell):
        emit(Said("primary", f"{plan.target_name} streams but has not caught up yet"))
