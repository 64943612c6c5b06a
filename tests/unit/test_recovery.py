"""The story goes on with the next method after a failure, but for those that it cannot mend."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from pgpool_recovery import decision, recovery
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.decision import BothServers
from pgpool_recovery.domain.error import (
    Cancelled,
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
from pgpool_recovery.domain.node import NodeId, RecoveryRequest
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.policy import Method, Policy
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.source import Source
from pgpool_recovery.plan.duration import WORTH_TELLING_BYTES
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import Plan
from tests.unit.plan.situation import TARGET, facts


class Story:
    """A recovery whose first method fails, and what was carried out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tried: list[Method] = []
        self.failure: RecoveryError | None = None
        self.start_failure: RecoveryError | None = None
        self.relies_on_archive = True
        self.agent = SimpleNamespace(is_busy=False)

        @contextmanager
        def party(*_: object) -> Iterator[Any]:
            yield self.agent

        bound = SimpleNamespace(by=None, refusal=lambda *_, **__: None)
        for name, part in {
            "own_server": party,
            "agent_of": party,
            "observing_primary": lambda *_, **__: SimpleNamespace(recent=None),
            "agreement_for": lambda *_: bound,
            "choose": self.choose,
            "carry_out": self.carry_out,
        }.items():
            monkeypatch.setattr(recovery, name, part)

    def choose(self, *_: object) -> Any:
        method = Method.BASEBACKUP if self.tried else Method.REWIND
        archive = object() if self.relies_on_archive else None
        return SimpleNamespace(
            method=method,
            sentences=tuple,
            from_archive=archive,
            source=None,
            own=None,
            work=None,
        )

    def carry_out(self, plan: Any, *_: object) -> None:
        self.tried.append(plan.method)
        if self.failure is not None and len(self.tried) == 1:
            raise self.failure

    def tell(self, failure: RecoveryError) -> list[Method]:
        self.failure = failure
        recovery.recover(RecoveryRequest(TARGET, 5432, None), Settings(), lambda _event: None)
        return self.tried

    def start(self, *_: object) -> None:
        failure, self.start_failure = self.start_failure, None
        if failure is not None:
            raise failure

    def start_after(self, failure: RecoveryError, settings: Settings | None = None) -> list[Method]:
        """Recover, with a failure of the first start."""
        self.start_failure, request = failure, RecoveryRequest(TARGET, 5432, None)
        own = settings or Settings()
        recovery.recover(request, own, lambda _event: None, proceed=self.start)
        return self.tried


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> Story:
    return Story(monkeypatch)


@pytest.mark.parametrize("kind", [Undone, Incomplete, Refused, QueryRefused])
def test_next_method_is_tried(story: Story, kind: type[RecoveryError]) -> None:
    assert story.tell(kind("no")) == [Method.REWIND, Method.BASEBACKUP]


@pytest.mark.parametrize("kind", [NoRoom, Filled, Unreachable, Cancelled])
def test_no_data_goes_for_what_another_method_cannot_mend(
    story: Story, kind: type[RecoveryError]
) -> None:
    with pytest.raises(kind):
        story.tell(kind("no"))
    assert story.tried == [Method.REWIND]


STOPPED = NotStreaming("does not stream", target=TargetState.STOPPED)


def test_after_an_archive_with_a_hole_the_next_method_is_tried(story: Story) -> None:
    assert story.start_after(STOPPED) == [Method.REWIND, Method.BASEBACKUP]


@pytest.mark.parametrize(
    "failure",
    [
        NotStreaming("does not stream", target=TargetState.STARTED),
        Incomplete("does not start", target=TargetState.COPIED),
    ],
)
def test_server_that_runs_or_did_not_start_ends_the_recovery(
    story: Story, failure: RecoveryError
) -> None:
    with pytest.raises(type(failure)):
        story.start_after(failure)
    assert story.tried == [Method.REWIND]


def test_without_an_archive_a_failed_start_ends_the_recovery(story: Story) -> None:
    story.relies_on_archive = False
    with pytest.raises(NotStreaming):
        story.start_after(STOPPED)
    assert story.tried == [Method.REWIND]


def test_policy_may_forbid_another_method(story: Story) -> None:
    with pytest.raises(NotStreaming):
        story.start_after(STOPPED, Settings(policy=Policy(fall_down=False)))
    assert story.tried == [Method.REWIND]


@pytest.mark.parametrize("kind", [Undone, Unreachable, Incomplete, Refused])
def test_copy_from_a_standby_that_failed_goes_on_with_another_server(
    monkeypatch: pytest.MonkeyPatch, kind: type[RecoveryError]
) -> None:
    """Even a full copy, which is the last method: the server is passed over, not the method."""
    story = Story(monkeypatch)
    unread: list[dict[NodeId, Any]] = []

    def choose(*words: object) -> Any:
        tried: Any = words[-1]
        assert tried.failed == ()
        unread.append(dict(tried.unread))
        source = None if tried.unread else NodeId(2)
        return SimpleNamespace(method=Method.BASEBACKUP, sentences=tuple, source=source, work=None)

    monkeypatch.setattr(recovery, "choose", choose)
    assert story.tell(kind("it was promoted")) == [Method.BASEBACKUP, Method.BASEBACKUP]
    assert [list(one) for one in unread] == [[], [2]]
    assert unread[1][NodeId(2)].message == "it was promoted"


def test_source_that_failed_is_known_even_if_it_no_longer_streams(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decision, "observe_sources", lambda *_: (Source(NodeId(3)),))
    why = Rejection("it was promoted")
    nothing: Any = None
    servers = BothServers(nothing, Settings(), nothing, nothing, nothing)
    found = decision.with_sources(servers, facts(), {NodeId(2): why}).sources
    assert found is not None
    assert {one.node_id: one.failed for one in found} == {2: why, 3: None}


@pytest.mark.parametrize("is_by_ssh", [True, False])
@pytest.mark.parametrize("is_for_space", [True, False])
def test_link_is_measured_when_a_faster_one_might_make_room(
    *, is_for_space: bool, is_by_ssh: bool
) -> None:
    """A slow link that was assumed lets the primary write more WAL meanwhile."""
    reasons = (Rejection("first"), Rejection("second", is_for_space=is_for_space))
    agent: Any = SimpleNamespace(is_by_ssh=is_by_ssh)
    assert decision.depends_on_link(reasons, agent) == (is_for_space and is_by_ssh)
    assert decision.depends_on_paces(reasons) == is_for_space


@pytest.mark.parametrize("method", [Method.CATCH_UP, Method.DELTA, Method.BASEBACKUP])
def test_record_is_read_only_for_a_plan_that_says_how_long_it_takes(method: Method) -> None:
    """A catch-up of little WAL takes a second or two; it is spared another connection."""
    made = make_plan(TARGET, facts(), Policy(methods=(method,)))
    assert isinstance(made, Plan), made
    assert decision.depends_on_paces(made)
    little = replace(made, work_bytes=WORTH_TELLING_BYTES - 1)
    assert decision.depends_on_paces(little) == (method is not Method.CATCH_UP)
