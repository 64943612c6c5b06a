"""A standby that was told to promote itself is waited for as long as it replays."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pytest

from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.wal import Lsn, TimelineId
from pgpool_recovery.hooks import promotion
from pgpool_recovery.hooks.scene import Standing

if TYPE_CHECKING:
    from pgpool_recovery.operator.cluster import Node

LIMIT_S = 60.0


class Clock:
    """A clock that a look moves by a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _seconds: float) -> None:
        self.now += 1


def waited(monkeypatch: pytest.MonkeyPatch, replayed: Callable[[float], int], ends: float) -> float:
    """Return after how long it became primary. Raises what ends the wait."""
    clock = Clock()
    monkeypatch.setattr(promotion, "time", clock)
    standing = lambda *_: (  # noqa: E731 - a stand-in
        Standing(
            is_primary=clock.now >= ends,
            timeline=TimelineId(1),
            position=Lsn(10_000),
            system_identifier="7",
            replayed=Lsn(replayed(clock.now)),
        ),
    )
    monkeypatch.setattr(promotion, "standing_of", standing)
    view = cast("Any", type("View", (), {"login": staticmethod(lambda _node: None)}))
    node = cast("Node", type("Node", (), {"name": "node 1", "node_id": NodeId(1)}))
    promotion._wait_for_writes(node, view, 0.0, LIMIT_S)
    return clock.now


def test_replay_of_an_hour_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waited(monkeypatch, lambda now: 1 + int(now), ends=3600) == 3600


def test_one_that_stands_still_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(promotion._Failed):
        waited(monkeypatch, lambda _now: 5, ends=100)
    assert waited(monkeypatch, lambda _now: 5, ends=50) == 50
