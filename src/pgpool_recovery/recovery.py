"""Recover a node: observe both servers, make a plan, carry it out, and verify the result.

This is the first stage. It ends with a target whose data is in place. Unless its server is already
running, it is started afterwards (remote_start.py): by the next call of Pgpool-II, or, if only WAL
was missing, within this one.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import (
    Filled,
    Incomplete,
    NoRoom,
    NotStreaming,
    QueryRefused,
    RecoveryError,
    Refused,
    Undone,
    Unreachable,
)
from pgpool_recovery.domain.event import Emit, Finished, PlanMade, Said, pay_no_heed
from pgpool_recovery.domain.node import NodeId, RecoveryRequest, Target
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.standby import StandbyFacts
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.facts import Facts, PrimaryFacts
from pgpool_recovery.facts.policy import FROM_PRIMARY, Method, Policy
from pgpool_recovery.facts.rejection import Rejection, as_error
from pgpool_recovery.facts.source import Source
from pgpool_recovery.facts.step import CheckMade, Delta, RepointRunning
from pgpool_recovery.log.note import note, note_parts
from pgpool_recovery.observe.consent import agreement_for
from pgpool_recovery.observe.link import measure_link
from pgpool_recovery.observe.made import see_made
from pgpool_recovery.observe.primary import observing_primary
from pgpool_recovery.observe.source import observe_sources
from pgpool_recovery.observe.target import observe_target
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.made import Accepted
from pgpool_recovery.plan.plan import PassedOver, Plan
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
from pgpool_recovery.talk.protocol import AskStandby, FindLog
from pgpool_recovery.verify.end_of_log import end_of_log
from pgpool_recovery.verify.following import wait_until_following
from pgpool_recovery.verify.streaming import Expected

Proceed = Callable[[Plan, Connection, Conversation, Callable[[], PrimaryFacts]], None]
"""What to do with a target that is ready to be started; the last argument observes the primary."""

READ_FROM_SOURCE = (Method.DELTA, Method.BASEBACKUP)
"""The methods that may read from a standby."""


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
            failed: tuple[PassedOver, ...] = ()
            while True:
                plan = follow_ladder(
                    request, settings, emit, connection, agent, observe, caller, failed
                )
                emit(Finished("ready to be started", time.monotonic() - began))
                if proceed is None:
                    return plan
                try:
                    proceed(plan, connection, agent, observe.recent)
                except NotStreaming as error:
                    if not is_for_another(plan, error, settings):
                        raise
                    failed = (*failed, _passed_over(plan, error))
                    emit(Said("runner", f"{plan.method} failed; looking for another method"))
                else:
                    return plan


def is_for_another(plan: Plan, error: NotStreaming, settings: Settings) -> bool:
    """Return whether another method is tried after the started server did not stream.

    Only after a plan that relied on an archive, which may lack a file that was not tried. The
    server was stopped then, with its data still in the primary's past.
    """
    is_stopped = error.target is TargetState.STOPPED
    return plan.from_archive is not None and is_stopped and settings.policy.fall_down


def _passed_over(plan: Plan, error: RecoveryError) -> PassedOver:
    return PassedOver(plan.method, (_reason_of(error),), plan.own)


def _reason_of(error: RecoveryError) -> Rejection:
    return Rejection(error.message, error.detail, error.hint)


def follow_ladder(
    request: RecoveryRequest,
    settings: Settings,
    emit: Emit,
    connection: Connection,
    agent: Conversation,
    observe: Callable[[], PrimaryFacts],
    caller: int | None,
    failed: tuple[PassedOver, ...] = (),
) -> Plan:
    """Make a plan and carry it out; after a failure, plan again without the methods that failed.

    Return the plan that succeeded. A failure is final after a full copy, which is the last method,
    unless it left something that a comparison of blocks can go on from, once;
    if `fall_down` in the settings is false; if the agent is still busy, as it then takes no
    requests; and if the target's disk is full or read-only, as no other method can do better there.
    A server that was stopped for the recovery is started again if the recovery fails and its data
    is as it was. `failed` are the methods that have already failed after the end of their plan.
    """
    target = request.target
    bound = agreement_for(connection, target, settings.policy, caller)
    if bound.by is not None:
        emit(Said("runner", f"agreed by {bound.by}: {bound.harm}"))
    server = TargetServer(agent, target, settings, emit, bound)
    unread: dict[NodeId, Rejection] = {}
    state = TargetState.STOPPED if failed else TargetState.UNTOUCHED
    cut_off: RecoveryError | None = None
    """Why a full copy failed; something may be left of it to go on from."""
    with server.running_again():
        while True:
            with leaving(state), instead_of(cut_off):
                plan = choose(
                    request,
                    settings,
                    emit,
                    connection,
                    agent,
                    observe,
                    server,
                    failed,
                    state,
                    unread,
                )
                if cut_off is not None and not goes_on(plan):
                    raise cut_off
                server.refuse_excess(plan, failed)
                emit(PlanMade(plan.method, plan.sentences()))
            try:
                carry_out(plan, target, connection, agent, settings, emit)
                break
            except (Undone, Incomplete, Refused, QueryRefused, Unreachable) as error:
                is_lost = isinstance(error, Unreachable) and not isinstance(error, QueryRefused)
                is_last = plan.method is Method.BASEBACKUP and plan.source is None
                if not settings.policy.fall_down or (is_last and not may_go_on(settings, failed)):
                    raise
                if is_lost and plan.source is None and plan.method is not Method.BASEBACKUP:
                    raise  # Without the primary, or without the target, nothing else is possible.
                if agent.is_busy or isinstance(error, NoRoom | Filled):
                    raise  # A full or read-only disk is no reason to give up the old data.
                cut_off = error if is_last else cut_off
                state = error.target
                if plan.source is None:
                    failed = (*failed, _passed_over(plan, error))
                    what = " ".join(filter(None, (plan.method, plan.own)))
                    other = "method"
                else:  # The same method may succeed with another server.
                    unread[plan.source] = _reason_of(error)
                    what, other = f"the copy from node {plan.source}", "source"
                with leaving(state):
                    emit(Said("runner", f"{what} failed; looking for another {other}"))
    return plan


def may_go_on(settings: Settings, failed: tuple[PassedOver, ...]) -> bool:
    """Return whether the run of a full copy that was cut off may go on, once, from what it left."""
    has_failed = any(over.method is Method.DELTA for over in failed)
    return Method.DELTA in settings.policy.methods and not has_failed


def goes_on(plan: Plan) -> bool:
    """Return whether a plan goes on from what an interrupted full copy left."""
    return any(isinstance(step, Delta) and step.is_whole for step in plan.steps)


@contextmanager
def instead_of(cut_off: RecoveryError | None) -> Iterator[None]:
    """Raise why the full copy was cut off, if the run cannot go on from what it left."""
    try:
        yield
    except RecoveryError as error:
        if cut_off is None:
            raise
        raise cut_off from error


def choose(
    request: RecoveryRequest,
    settings: Settings,
    emit: Emit,
    connection: Connection,
    agent: Conversation,
    observe: Callable[[], PrimaryFacts],
    server: TargetServer,
    failed: tuple[PassedOver, ...],
    state: TargetState,
    unread: Mapping[NodeId, Rejection],
) -> Plan:
    """Observe both servers and return a plan; if none is possible, raise all reasons as one error.

    If only a running server stands in the way and the policy allows stopping it, it is stopped,
    and the facts are observed again. For a full copy by ssh the link is measured first, because
    its speed decides whether compression pays off. If the policy has copies read from a standby,
    the standbys are examined. `unread` are those from which a copy failed in this run, and why.
    """
    target = request.target
    while True:
        primary = observe()
        facts = observe_target(connection, agent, request, primary, settings)
        note_parts("fact", facts)
        plan, passed = server.plan(facts, failed)
        log_decision(plan)
        if isinstance(plan, Plan) or not server.stop_if_allowed(facts, failed):
            break
        say_asides(plan, emit)
    if depends_on_source(plan, settings.policy):
        facts = with_sources(connection, agent, request, facts, settings, unread)
        plan = make_plan(target, facts, settings.policy, failed)
        log_decision(plan)
    if depends_on_link(plan, agent):
        link = measure_link(agent, timeout_s=settings.agent.answer_s)
        facts = replace(facts, link_bytes_per_s=link)
        plan = make_plan(target, facts, settings.policy, passed)
        note("the link transfers {} bytes/s", link)
        log_decision(plan)
    if not isinstance(plan, Plan):
        # After a failure, its error has the target's state; before the first one, the facts do.
        raise as_error(plan).with_target(state if failed else facts.target.state)
    return plan


def log_decision(plan: Plan | tuple[Rejection, ...]) -> None:
    """Log the plan with the reasons against each lighter method, or why there is no plan."""
    if isinstance(plan, Plan):
        note_parts("plan", plan)
    else:
        note("no plan: {}", plan)


def say_asides(reasons: tuple[Rejection, ...], emit: Emit) -> None:
    """Report why the server could not keep running: a plan made once it is stopped does not."""
    for reason in reasons:
        if reason.is_aside:
            emit(Said("runner", reason.message))


def depends_on_link(plan: Plan | tuple[Rejection, ...], agent: Conversation) -> bool:
    """Return whether to measure the link, which takes time: it matters to a full copy."""
    is_copy = isinstance(plan, Plan) and plan.method is Method.BASEBACKUP
    return (is_copy or _lacks_space(plan)) and agent.is_by_ssh


def _lacks_space(plan: Plan | tuple[Rejection, ...]) -> bool:
    """Return whether a faster link than assumed could make a plan possible: less WAL is written."""
    return not isinstance(plan, Plan) and any(reason.is_for_space for reason in plan)


def depends_on_source(plan: Plan | tuple[Rejection, ...], policy: Policy) -> bool:
    """Return whether to look for a standby to read from, which takes a login on each."""
    is_copy = isinstance(plan, Plan) and plan.method in READ_FROM_SOURCE
    return is_copy and policy.source != FROM_PRIMARY


def with_sources(
    connection: Connection,
    agent: Conversation,
    request: RecoveryRequest,
    facts: Facts,
    settings: Settings,
    unread: Mapping[NodeId, Rejection],
) -> Facts:
    """Return the facts with the nodes from which a copy might be read."""

    def open_agent(target: Target) -> AbstractContextManager[Conversation]:
        return agent_of(target, settings, pay_no_heed)

    found = observe_sources(connection, agent, request, facts, settings, open_agent)
    known = {one.node_id: one for one in found}
    for node_id, why in unread.items():  # One that failed may no longer be among those that stream.
        known[node_id] = replace(known.get(node_id, Source(node_id)), failed=why)
    return replace(facts, sources=tuple(known.values()))


def carry_out(
    plan: Plan,
    target: Target,
    connection: Connection,
    agent: Conversation,
    settings: Settings,
    emit: Emit,
) -> None:
    """Take the steps of a plan, and undo them if one fails."""
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
    if not wait_until_following(connection, expected, ask, read_log, agent.check):
        emit(Said("primary", f"{plan.target_name} streams but has not caught up yet"))
