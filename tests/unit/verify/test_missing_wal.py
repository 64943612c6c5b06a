"""When a standby is said to wait for WAL that neither its archive nor the primary has."""

from dataclasses import replace
from typing import Any, cast

import pytest

from pgpool_recovery.domain.standby import StandbyFacts, UpstreamFacts
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.verify import missing_wal
from pgpool_recovery.verify.missing_wal import ASKS_EVERY_S, MissingWal
from tests.unit.plan.situation import SEGMENT, wal

OLD = "000000010000000000000033"
PROMOTED = History(TimelineId(2), (Point(TimelineId(1), Lsn(40 * SEGMENT)),))
NODE = StandbyFacts(is_in_recovery=True, lacks_wal=True, replaying=OLD, replayed=Lsn(100))
UPSTREAM = UpstreamFacts("the primary", None, None, None)
SENTENCE = (
    "It needs 000000020000000000000033, which its archive does not bring and the primary no longer "
    "has."
)


class World:
    """A primary that has the WAL from segment 80 on, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.oldest, self.asked = 80, 0
        self.said: list[str] = []
        self.missing = MissingWal(cast("Any", None), self.said.append)
        monkeypatch.setattr(missing_wal, "time", self)
        monkeypatch.setattr(missing_wal, "read_wal", self.read)

    def monotonic(self) -> float:
        return self.now

    def read(self, _connection: object) -> Any:
        self.asked += 1
        return wal(oldest_segment=self.oldest, history=PROMOTED)

    def look(self, node: StandbyFacts = NODE, *, after_s: float = 0.0) -> str | None:
        self.now += after_s
        self.missing.look(node, UPSTREAM)
        return self.missing.sentence


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_file_that_was_requested_twice_is_missing(world: World) -> None:
    assert world.look() is None
    assert world.look(after_s=2 * ASKS_EVERY_S - 1) is None
    assert world.look(after_s=2) == SENTENCE
    assert world.look(after_s=60) == SENTENCE
    assert (world.said, world.asked) == ([SENTENCE], 1), "it is told once"


def test_file_that_comes_after_all_is_not_missing(world: World) -> None:
    world.look()
    world.look(after_s=11)
    further = replace(NODE, replayed=Lsn(200))
    assert world.look(further, after_s=1) is None
    assert world.look(further, after_s=1) is None
    assert world.look(further, after_s=11) == SENTENCE
    assert world.look(replace(further, receiver="streaming"), after_s=1) is None


@pytest.mark.parametrize(
    "changes", [{"lacks_wal": False}, {"receiver": "streaming"}, {"replaying": None}]
)
def test_nothing_is_missing_while_it_may_come(world: World, changes: dict[str, Any]) -> None:
    """Replay may be busy with one record; or the server's titles are off."""
    node = replace(NODE, **changes)
    world.look(node)
    assert world.look(node, after_s=60) is None
    assert world.said == []


def test_call_of_the_command_is_no_progress(world: World) -> None:
    world.look()
    world.look(replace(NODE, lacks_wal=False, restoring=4711), after_s=6)
    assert world.look(after_s=6) == SENTENCE


def test_file_that_the_primary_has_is_not_missing(world: World) -> None:
    world.oldest = 0x33
    world.look()
    for _ in range(3):
        assert world.look(after_s=11) is None
    assert world.said == []
    world.oldest = 80
    assert world.look(after_s=11) == SENTENCE
    assert world.asked == 4


def test_next_file_has_its_own_time(world: World) -> None:
    world.look()
    assert world.look(replace(NODE, replaying="000000010000000000000034"), after_s=11) is None
