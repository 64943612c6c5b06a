"""A running server is stopped for a plan that was agreed to, and for no other."""

from typing import TYPE_CHECKING, Any, cast

import pytest

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import (
    Cancelled,
    Incomplete,
    PlanChanged,
    RecoveryError,
    Unreachable,
)
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.facts import Facts, Filesystem
from pgpool_recovery.facts.policy import Method, Policy, StopRunning
from pgpool_recovery.plan.agreement import Agreement
from pgpool_recovery.plan.harm import Harm, Loss, Old, Reach
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.plan.stop import once_stopped
from pgpool_recovery.run.target_server import TargetServer
from tests.unit.plan.situation import GB, TARGET, facts, place, primary, target, wal

if TYPE_CHECKING:
    from pgpool_recovery.domain.event import Event
    from pgpool_recovery.talk.conversation import Conversation

RUNNING = facts(target=target(server_pid=4711))
SETTINGS = Settings(policy=Policy(stop_running=StopRunning.ALWAYS))


class Agent:
    """An agent that accepts each request and reports nothing."""

    is_busy = False

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, request: Any, **_limits: float) -> None:
        self.asked.append(type(request).__name__)


def server(agent: Agent, *losses: Loss) -> TargetServer:
    events: list[Event] = []
    bound = Agreement(Harm(Reach.WAL, Old.KEPT, frozenset(losses)), "postgres")
    return TargetServer(cast("Conversation", agent), TARGET, SETTINGS, events.append, bound)


def test_promise_11_server_is_not_stopped_for_a_plan_that_was_not_agreed_to() -> None:
    agent = Agent()
    with pytest.raises(PlanChanged, match="the plan of node 1 has changed"):
        server(agent).stop_if_allowed(RUNNING, ())
    assert agent.asked == []


def test_it_is_stopped_if_that_was_agreed_to_and_only_once() -> None:
    agent = Agent()
    one = server(agent, Loss.STOP)
    assert one.stop_if_allowed(RUNNING, ())
    assert agent.asked == ["StopServer"]
    assert not one.stop_if_allowed(RUNNING, ())


def test_promise_11_plan_after_a_failure_is_measured_like_the_first() -> None:
    copy = make_plan(TARGET, once_stopped(RUNNING), Policy(methods=tuple(Policy().methods[-1:])))
    assert isinstance(copy, Plan)
    with pytest.raises(PlanChanged, match="the plan of node 1 has changed"):
        server(Agent(), Loss.STOP).refuse_excess(copy, ())
    TargetServer(cast("Conversation", Agent()), TARGET, SETTINGS, print).refuse_excess(copy, ())


WAL_IS_GONE = facts(primary=primary(wal=wal(oldest_segment=60)))
DIVERGED_AND_NO_ROOM = facts(
    primary=primary(wal=wal(oldest_segment=60)),
    target=target(data=place(filesystem=Filesystem(device=1, free_bytes=5 * GB))),
)


@pytest.mark.parametrize(
    ("situation", "harm", "method"),
    [
        (WAL_IS_GONE, Harm(Reach.COPY, Old.STAYS), Method.BASEBACKUP),
        (WAL_IS_GONE, Harm(Reach.COPY, Old.CHANGED), Method.DELTA),
        (WAL_IS_GONE, Harm(Reach.BLOCKS, Old.CHANGED), Method.DELTA),
        (WAL_IS_GONE, Harm(Reach.WAL, Old.KEPT), Method.DELTA),
        (DIVERGED_AND_NO_ROOM, Harm(Reach.COPY, Old.STAYS), Method.DELTA),
    ],
    ids=["keeps old data", "anything but removal", "blocks", "only WAL", "no room for both"],
)
def test_promise_11_full_copy_that_was_agreed_to_comes_before_a_delta_that_was_not(
    situation: Facts, harm: Harm, method: Method
) -> None:
    """If neither was agreed to, the refusal is about the delta."""
    agent = cast("Conversation", Agent())
    one = TargetServer(agent, TARGET, Settings(), print, Agreement(harm, "postgres"))
    made, passed = one.plan(situation, ())
    assert isinstance(made, Plan)
    assert made.method is method
    assert [over.method for over in passed] == [Method.DELTA] * (method is Method.BASEBACKUP)
    assert passed == tuple(over for over in made.passed_over if over in passed)


class Lost:
    """An agent that fails to start a server, and what it reports last."""

    def __init__(self, failure: RecoveryError, last: TargetState | None, *, is_busy: bool) -> None:
        self._failure = failure
        self._last = last
        self.is_busy = is_busy

    def ask(self, *_: object, **__: object) -> None:
        raise self._failure

    def last_word(self) -> TargetState | None:
        assert self.is_busy, "it would end a conversation that goes on"
        return self._last


@pytest.mark.parametrize(
    ("failure", "last", "is_busy", "state"),
    [
        (Cancelled("cancelled"), TargetState.COPIED, True, TargetState.COPIED),
        (Unreachable("lost"), TargetState.STARTED, True, TargetState.STARTED),
        (Unreachable("lost"), None, True, TargetState.UNKNOWN),
        (Cancelled("cancelled"), None, True, TargetState.UNKNOWN),
        (Incomplete("no", target=TargetState.COPIED), None, False, TargetState.COPIED),
    ],
)
def test_state_of_a_failed_start_is_the_last_that_its_agent_reported(
    failure: RecoveryError, last: TargetState | None, state: TargetState, *, is_busy: bool
) -> None:
    """As after a cancel: it ends what it has started, and reports that before it exits."""
    agent = cast("Conversation", Lost(failure, last, is_busy=is_busy))
    with pytest.raises(type(failure)) as caught:
        TargetServer(agent, TARGET, SETTINGS, lambda _event: None).start()
    assert caught.value.target is state
