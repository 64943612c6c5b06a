"""A failover waits for a standby that was told to promote itself as long as it replays."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pytest

from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.wal import Lsn, TimelineId
from pgpool_recovery.hooks import promotion
from pgpool_recovery.hooks.scene import Standing

if TYPE_CHECKING:
    from pgpool_recovery.control.cluster import Node

LIMIT_S = 60.0
RECEIVED = 10_000
DAY_S = 86_400


class Clock:
    """A clock that moves by a second with each observation."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _seconds: float) -> None:
        self.now += 1
        assert self.now < DAY_S, "the wait does not end"


def waited(
    monkeypatch: pytest.MonkeyPatch,
    replayed: Callable[[float], int],
    *,
    ends: float = float("inf"),
    received: int = RECEIVED,
    is_streaming: bool = False,
    looks_after_s: float = 0,
) -> float:
    """Return how long the wait took, in seconds; the server is a primary from `ends` on.

    `received` is what it had received when it was told to promote itself. `looks_after_s` is how
    long pg_promote() itself took.
    """
    clock = Clock()
    monkeypatch.setattr(promotion, "time", clock)

    def standing(*_: object) -> tuple[Standing]:
        told = Standing(
            is_primary=clock.now >= ends,
            timeline=TimelineId(1),
            position=Lsn(received),
            system_identifier="7",
            replayed=Lsn(replayed(clock.now)),
            receiver="streaming" if is_streaming else None,
        )
        return (told,)

    monkeypatch.setattr(promotion, "standing_of", standing)
    view = cast("Any", type("View", (), {"login": staticmethod(lambda _node: None)}))
    node = cast("Node", type("Node", (), {"name": "node 1", "node_id": NodeId(1)}))
    (before,) = standing()
    clock.now = looks_after_s
    failure: promotion._Failed | None = None
    try:
        promotion._wait_for_writes(node, view, before, 0.0, LIMIT_S)
    except promotion._Failed as error:
        failure = error
    assert (failure is None) == (clock.now >= ends)
    if failure is not None:
        assert not failure.is_over
        assert failure.cause.message.endswith(
            f"does not accept writes after {clock.now:.0f} seconds"
        )
        assert failure.cause.detail is not None
        assert ("and streams" in failure.cause.detail) == is_streaming
    return clock.now


def steadily(now: float) -> int:
    return 1 + int(now)


def still(_now: float) -> int:
    return 5


def test_replay_of_an_hour_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waited(monkeypatch, steadily, ends=2 * 3600) == 2 * 3600


def test_what_it_replays_while_pg_promote_waits_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call lasts as long as the limit itself, without an observation in the meantime."""
    assert waited(monkeypatch, steadily, ends=600, looks_after_s=LIMIT_S + 1) == 600


def test_one_that_stands_still_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waited(monkeypatch, still) == LIMIT_S + 1
    assert waited(monkeypatch, still, ends=50) == 50


def test_archive_is_waited_for_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """More WAL may be added to it, and its end is not known."""
    half = promotion.ARCHIVE_S / 2
    assert waited(monkeypatch, steadily, received=1, ends=half) == half
    over = promotion.ARCHIVE_S + LIMIT_S
    assert waited(monkeypatch, steadily, received=1) == pytest.approx(over, abs=2)


def test_one_that_streams_on_has_what_it_had_received_to_replay_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when pg_promote() has failed: it replays all that the primary still writes."""
    over = pytest.approx(1000 + LIMIT_S, abs=2)
    assert waited(monkeypatch, steadily, received=1000, is_streaming=True) == over
