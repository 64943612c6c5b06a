"""The state that is reported after a failure is one that was observed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest

from pgpool_recovery import remote_start
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import (
    Cancelled,
    Incomplete,
    PlanChanged,
    RecoveryError,
    Unreachable,
)
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.run import known_state
from pgpool_recovery.run.known_state import in_state, learning_state
from pgpool_recovery.talk.request.directory import StateSeen

if TYPE_CHECKING:
    from pgpool_recovery.talk.conversation import Conversation

TARGET = Target("server1", "/data", NodeId(1), 5432)
RUNS = StateSeen(TargetState.STARTED, "Its server is running (process 42).")
PLAIN = StateSeen(TargetState.UNTOUCHED, "There is data.", is_certain=False)
LOST = Unreachable("the connection to node 1 was lost")


@dataclass
class Agent:
    """An agent that reports what it observes; a busy one must get no request."""

    seen: StateSeen | None
    is_busy: bool = False

    def ask(self, *_: object, **_more: object) -> StateSeen:
        assert not self.is_busy
        if self.seen is None:
            raise LOST
        return self.seen


@pytest.fixture
def new(monkeypatch: pytest.MonkeyPatch) -> list[StateSeen | None]:
    """What a new agent observes; empty: none may be started. None: it does not answer."""
    seen: list[StateSeen | None] = []

    @contextmanager
    def agent_of(*_: object) -> Iterator[Agent]:
        if not seen:
            pytest.fail("nobody is to start an agent")
        yield Agent(seen.pop())

    monkeypatch.setattr(known_state, "agent_of", agent_of)
    return seen


def start_failed(error: RecoveryError, agent: Agent) -> RecoveryError:
    conversation = cast("Conversation", agent)
    return remote_start._with_state(error, conversation, TARGET, Settings())


@pytest.mark.parametrize(
    ("error", "by_new", "state"),
    [
        (LOST, RUNS, TargetState.STARTED),
        (LOST, PLAIN, TargetState.COPIED),
        (LOST, None, TargetState.UNKNOWN),
        (LOST.with_target(TargetState.STARTED), None, TargetState.UNKNOWN),
        (LOST.with_target(TargetState.STARTED), RUNS, TargetState.STARTED),
    ],
)
def test_start_whose_agent_was_lost(
    new: list[StateSeen | None], error: RecoveryError, by_new: StateSeen | None, state: TargetState
) -> None:
    new.append(by_new)
    told = start_failed(error, Agent(None, is_busy=True))
    assert told.target is state
    assert (told.detail or "") == ("" if by_new is None else by_new.what)
    assert not new
    if state is not TargetState.STARTED:
        assert "Recover the node again" in (told.hint or "")


def test_start_that_fails_before_anything_was_begun_asks_its_own_agent(
    new: list[StateSeen | None],
) -> None:
    told = start_failed(Unreachable("query failed"), Agent(PLAIN))
    assert told.target is TargetState.COPIED
    assert new == []


def test_after_a_cancel_no_agent_is_started(new: list[StateSeen | None]) -> None:
    """It would be ended with everything else that the call has started."""
    busy = Agent(None, is_busy=True)
    assert start_failed(Cancelled("ended"), busy).target is TargetState.UNKNOWN
    known = Cancelled("ended", target=TargetState.STARTED)
    assert start_failed(known, busy).target is TargetState.STARTED
    assert new == []


def test_state_that_an_agent_has_reported_is_kept(new: list[StateSeen | None]) -> None:
    died = Incomplete("the server ended", hint="Mend it.", target=TargetState.COPIED)
    told = start_failed(died, Agent(RUNS))
    assert told.target is TargetState.COPIED
    assert told.hint is not None
    assert told.hint.startswith("Mend it. ")
    assert new == []


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (StateSeen(TargetState.INCOMPLETE, "Half changed."), TargetState.INCOMPLETE),
        (PLAIN, TargetState.UNKNOWN),
        (None, TargetState.UNKNOWN),
    ],
)
def test_run_in_an_unknown_state(
    new: list[StateSeen | None], seen: StateSeen | None, state: TargetState
) -> None:
    new.append(seen)
    with pytest.raises(Unreachable) as caught, learning_state(TARGET, Settings()):
        raise LOST.with_target(TargetState.UNKNOWN)
    assert caught.value.target is state
    assert caught.value.detail == (None if seen is None else seen.what)


def test_run_in_a_known_state_asks_no_agent(new: list[StateSeen | None]) -> None:
    with pytest.raises(Unreachable) as caught, learning_state(TARGET, Settings()):
        raise LOST
    assert caught.value.target is TargetState.UNTOUCHED
    assert cast("Any", new) == []


def test_recorded_data_of_a_failure_is_kept_when_its_state_is_added() -> None:
    changed = PlanChanged("the plan has changed")
    changed.data = {"needed": "copy"}
    assert in_state(changed, TargetState.COPIED, "Seen.").data == changed.data
