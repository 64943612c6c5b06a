"""Decide what to do next in a recovery: from both servers, and from what has failed in this run."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import (
    Filled,
    NoRoom,
    NotStreaming,
    QueryRefused,
    RecoveryError,
    Unreachable,
)
from pgpool_recovery.domain.event import Emit, Said, pay_no_heed
from pgpool_recovery.domain.node import NodeId, RecoveryRequest, Target
from pgpool_recovery.domain.record import record, replace
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.facts import Facts, PrimaryFacts
from pgpool_recovery.facts.policy import FROM_PRIMARY, Method, Policy
from pgpool_recovery.facts.rejection import Rejection, as_error
from pgpool_recovery.facts.source import Source
from pgpool_recovery.facts.step.transfer import Delta
from pgpool_recovery.log.note import note, note_parts
from pgpool_recovery.observe.link import measure_link
from pgpool_recovery.observe.pace import observe_paces
from pgpool_recovery.observe.source import observe_sources
from pgpool_recovery.observe.target import observe_target
from pgpool_recovery.plan.plan import PassedOver, Plan
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.run.own_server import own_conninfo
from pgpool_recovery.run.sessions import agent_of
from pgpool_recovery.run.target_server import TargetServer
from pgpool_recovery.talk.conversation import Conversation

Decision = Plan | tuple[Rejection, ...]
"""A plan, or every reason why there is none."""

READ_FROM_SOURCE = (Method.DELTA, Method.BASEBACKUP)
"""The methods that may read from a standby."""


@record
class BothServers:
    """The request of a recovery and its two servers: the primary, and the agent of the target.

    `observe` returns the facts about the primary.
    """

    request: RecoveryRequest
    settings: Settings
    connection: Connection
    agent: Conversation
    observe: Callable[[], PrimaryFacts]


class Tried:
    """What has failed in a run, and the state in which the last failure left the target."""

    def __init__(self) -> None:
        self.failed: tuple[PassedOver, ...] = ()
        """The methods that failed."""
        self.unread: dict[NodeId, Rejection] = {}
        """The standbys from which a copy failed; the same method may succeed with another one."""
        self.state = TargetState.UNTOUCHED
        self._cut_off: RecoveryError | None = None
        """Why a full copy failed; something may be left of it to go on from."""

    def is_final(self, plan: Plan, error: RecoveryError, policy: Policy) -> bool:
        """Return whether nothing else is tried after a failure.

        A full or read-only disk is no reason to give up the old data. Without the primary, or the
        target, nothing else is possible. A full copy is the last method, unless it left something
        that a comparison of blocks can go on from, once.
        """
        if not policy.fall_down or isinstance(error, NoRoom | Filled):
            return True
        if plan.source is not None:
            return False
        if plan.method is not Method.BASEBACKUP:
            return isinstance(error, Unreachable) and not isinstance(error, QueryRefused)
        may_go_on = Method.DELTA in policy.methods
        return not may_go_on or any(over.method is Method.DELTA for over in self.failed)

    def add(self, plan: Plan, error: RecoveryError) -> None:
        """Note that a plan has failed."""
        reason = Rejection(error.message, error.detail, error.hint)
        self.state = error.target
        if plan.source is not None:
            self.unread[plan.source] = reason
            return
        self.failed = (*self.failed, PassedOver(plan.method, (reason,), plan.own))
        if plan.method is Method.BASEBACKUP:
            self._cut_off = error

    def news(self, plan: Plan) -> str:
        """Return what is reported about the plan that has failed last."""
        if plan.source is not None:
            return f"the copy from node {plan.source} failed; looking for another source"
        method = " ".join(filter(None, (plan.method, plan.own)))
        return f"{method} failed; looking for another method"

    def refuse_other_than_going_on(self, plan: Plan) -> None:
        """After a full copy that was cut off, raise why, unless the plan goes on from its copy."""
        if self._cut_off is not None and not goes_on(plan):
            raise self._cut_off

    @contextmanager
    def ended_if_nothing_is_left(self) -> Iterator[None]:
        """Raise why the full copy was cut off, if the run cannot go on from what it left."""
        try:
            yield
        except RecoveryError as error:
            if self._cut_off is None:
                raise
            raise self._cut_off from error


def is_for_another(plan: Plan, error: NotStreaming, policy: Policy) -> bool:
    """Return whether another method is tried after the started server did not stream.

    Only after a plan that relied on an archive, which may lack a file that was not tried. The
    server was stopped then, with its data still in the primary's past.
    """
    is_stopped = error.target is TargetState.STOPPED
    return plan.from_archive is not None and is_stopped and policy.fall_down


def goes_on(plan: Plan) -> bool:
    """Return whether a plan goes on from what an interrupted full copy left."""
    return any(isinstance(step, Delta) and step.is_whole for step in plan.steps)


def choose(servers: BothServers, emit: Emit, server: TargetServer, tried: Tried) -> Plan:
    """Observe both servers and return a plan; if none is possible, raise all reasons as one error.

    If only a running server stands in the way and the policy allows stopping it, it is stopped,
    and the facts are observed again.
    """
    while True:
        primary = servers.observe()
        facts = observe_target(
            servers.connection, servers.agent, servers.request, primary, servers.settings
        )
        note_parts("fact", facts)
        plan, passed = server.plan(facts, tried.failed)
        log_decision(plan)
        if isinstance(plan, Plan) or not server.stop_if_allowed(facts, tried.failed):
            break
        say_asides(plan, emit)

    def plan_again(more: Facts) -> Decision:
        return server.plan(more, passed)[0]

    _, plan = look_further(servers, facts, plan, plan_again, tried.unread)
    if not isinstance(plan, Plan):
        # After a failure, its error has the target's state; before the first one, the facts do.
        has_failed = tried.failed or tried.unread
        raise as_error(plan).with_target(tried.state if has_failed else facts.target.state)
    return plan


def look_further(
    servers: BothServers,
    facts: Facts,
    plan: Decision,
    plan_again: Callable[[Facts], Decision],
    unread: Mapping[NodeId, Rejection],
) -> tuple[Facts, Decision]:
    """Observe what takes time and matters only to some plans; return the facts and the plan then.

    The record is read for how fast earlier recoveries were, unless only little WAL is moved. If the
    policy has copies read from a standby, the standbys are examined; `unread` are those from which
    a copy failed in this run, and why. For a full copy by ssh the link is measured, because its
    speed decides whether compression pays off.
    """
    settings, agent = servers.settings, servers.agent
    if depends_on_paces(plan):
        facts = replace(facts, paces=observe_paces(own_conninfo(settings), settings))
        plan = plan_again(facts)
        log_decision(plan)
    if depends_on_source(plan, settings.policy):
        facts = with_sources(servers, facts, unread)
        plan = plan_again(facts)
        log_decision(plan)
    if depends_on_link(plan, agent):
        link = measure_link(agent, timeout_s=settings.agent.answer_s)
        note("the link transfers {} bytes/s", link)
        facts = replace(facts, link_bytes_per_s=link)
        plan = plan_again(facts)
        log_decision(plan)
    return facts, plan


def log_decision(plan: Decision) -> None:
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


def depends_on_paces(plan: Decision) -> bool:
    """Return whether to read the record: a plan says how long it takes, if its work is known."""
    return _lacks_space(plan) or (isinstance(plan, Plan) and plan.work is not None)


def depends_on_link(plan: Decision, agent: Conversation) -> bool:
    """Return whether to measure the link, which takes time: it matters to a full copy."""
    is_copy = isinstance(plan, Plan) and plan.method is Method.BASEBACKUP
    return (is_copy or _lacks_space(plan)) and agent.is_by_ssh


def _lacks_space(plan: Decision) -> bool:
    """Return whether a higher rate than assumed could make a plan possible: less WAL is written."""
    return not isinstance(plan, Plan) and any(reason.is_for_space for reason in plan)


def depends_on_source(plan: Decision, policy: Policy) -> bool:
    """Return whether to look for a standby to read from, which takes a login on each."""
    is_copy = isinstance(plan, Plan) and plan.method in READ_FROM_SOURCE
    return is_copy and policy.source != FROM_PRIMARY


def with_sources(servers: BothServers, facts: Facts, unread: Mapping[NodeId, Rejection]) -> Facts:
    """Return the facts with the nodes from which a copy might be read."""
    settings = servers.settings

    def open_agent(target: Target) -> AbstractContextManager[Conversation]:
        return agent_of(target, settings, pay_no_heed)

    found = observe_sources(
        servers.connection, servers.agent, servers.request, facts, settings, open_agent
    )
    known = {one.node_id: one for one in found}
    for node_id, why in unread.items():  # One that failed may no longer be among those that stream.
        known[node_id] = replace(known.get(node_id, Source(node_id)), failed=why)
    return replace(facts, sources=tuple(known.values()))
