"""How long a standby is watched, and what must have been observed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from pgpool_recovery.domain.pause import SHORTEST_S
from pgpool_recovery.domain.standby import Fault, StandbyFacts, StreamFacts, UpstreamFacts
from pgpool_recovery.domain.wal import History, Lsn, TimelineId
from pgpool_recovery.verify import streaming
from pgpool_recovery.verify.streaming import FAR_BYTES, Expected, SeenStandby, watch

ONE = TimelineId(1)
NODE = StandbyFacts(
    is_in_recovery=True,
    receiver="streaming",
    slot_name="slot",
    receiving=ONE,
    received=Lsn(100),
    replayed=Lsn(100),
)
APART = replace(NODE, receiver=None, slot_name=None, received=None)
EXPECTED = Expected("node 1", "slot", begin_s=0.3, catch_up_s=2)


class World:
    """A primary that writes 10 bytes when it is told to, on a clock that a tick moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.written = Lsn(100)
        self.stream: StreamFacts | None = StreamFacts("streaming", "slot", "node1", None, None)
        self.now = 0.0
        self.writes = 0
        monkeypatch.setattr(streaming, "look", lambda *_: self.upstream())
        monkeypatch.setattr(streaming, "write_something", lambda _connection: self.write())
        monkeypatch.setattr(streaming, "time", self)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def upstream(self) -> UpstreamFacts:
        return UpstreamFacts("the primary", History(ONE), self.written, self.stream)

    def write(self) -> Lsn:
        self.writes += 1
        self.written = Lsn(self.written + 10)
        return self.written

    def watch(self, ask: Callable[[], StandbyFacts]) -> SeenStandby:
        return watch(cast("Any", None), EXPECTED, ask)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def fault(seen: SeenStandby) -> Fault | None:
    return None if seen.trouble is None else seen.trouble.fault


def test_it_has_to_replay_what_is_written_after_it_was_seen(world: World) -> None:
    seen = world.watch(lambda: replace(NODE, replayed=world.written, received=world.written))
    assert fault(seen) is None
    assert (world.writes, seen.node.replayed) == (1, 110)


def test_what_comes_a_moment_later_is_seen_a_moment_later(world: World) -> None:
    """A standby begins to stream soon after its server accepts connections."""

    def ask() -> StandbyFacts:
        if world.now < 0.02:
            return APART
        return replace(NODE, replayed=world.written, received=world.written)

    assert fault(world.watch(ask)) is None
    assert world.now < 0.05


def test_looks_become_rare_where_it_takes_longer(world: World) -> None:
    looks = 0

    def ask() -> StandbyFacts:
        nonlocal looks
        looks += 1
        return replace(NODE, received=world.written)

    assert fault(world.watch(ask)) is Fault.BEHIND
    assert looks < 0.5 * EXPECTED.catch_up_s / SHORTEST_S


def test_looks_are_rare_while_it_is_far_behind(world: World) -> None:
    """They would take the processor from its replay; then it is seen soon that it streams."""
    world.stream, stream = None, world.stream
    world.written = Lsn(10 * FAR_BYTES)
    looks = list[float]()

    def ask() -> StandbyFacts:
        looks.append(world.now)
        if world.now < 2.0:
            return replace(APART, replayed=Lsn(world.written - 2 * FAR_BYTES + len(looks)))
        if world.now < 2.3:
            return replace(APART, replayed=Lsn(world.written - FAR_BYTES))
        world.stream = stream
        return replace(NODE, replayed=world.written, received=world.written)

    limits = replace(EXPECTED, begin_s=1.0)
    assert fault(watch(cast("Any", None), limits, ask)) is None
    assert looks[:5] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert len([one for one in looks if 2.0 < one < 2.3]) >= 2


def test_replay_that_stands_still_is_no_standby(world: World) -> None:
    """Everything else is fine: it has what was written before, and nothing that came after."""
    seen = world.watch(lambda: replace(NODE, received=world.written))
    assert fault(seen) is Fault.BEHIND
    assert not seen.moves
    assert world.now > EXPECTED.catch_up_s


def test_one_that_is_late_and_gets_on_is_told_from_it(world: World) -> None:
    def ask() -> StandbyFacts:
        return replace(NODE, replayed=Lsn(round(world.now * 10)), received=world.written)

    world.written = Lsn(1000)
    seen = world.watch(ask)
    assert (fault(seen), seen.moves) == (Fault.BEHIND, True)


def test_what_will_not_be_better_is_not_waited_for(world: World) -> None:
    seen = world.watch(lambda: replace(NODE, is_in_recovery=False))
    assert (fault(seen), world.now) == (Fault.PRIMARY, 0)


def test_not_streaming_has_its_time(world: World) -> None:
    seen = world.watch(lambda: APART)
    assert fault(seen) is Fault.SLOT_TAKEN
    assert EXPECTED.begin_s < world.now < EXPECTED.catch_up_s


def test_replay_from_an_archive_is_waited_for_while_it_gets_on(world: World) -> None:
    """Ten times as long as without progress."""
    world.stream, stream = None, world.stream

    def ask() -> StandbyFacts:
        if world.now < 1.5:
            return replace(APART, replayed=Lsn(round(world.now * 50)))
        world.stream = stream
        return replace(NODE, replayed=world.written, received=world.written)

    assert fault(world.watch(ask)) is None
    assert world.now > 1


def test_replay_from_an_archive_for_longer_than_any_limit_is_waited_for(world: World) -> None:
    """An hour of it, where the limits are a minute and an hour."""
    world.stream, stream = None, world.stream
    world.written = Lsn(10_000)

    def ask() -> StandbyFacts:
        if world.now < 5 * EXPECTED.catch_up_s:
            return replace(APART, replayed=Lsn(round(world.now * 500)))
        world.stream = stream
        return replace(NODE, replayed=world.written, received=world.written)

    assert fault(world.watch(ask)) is None
    assert world.now > 5 * EXPECTED.catch_up_s


def test_replay_that_gets_nearer_to_a_busy_primary_is_waited_for(world: World) -> None:
    """While it replays what was missing, the primary writes half as much again, and so on."""
    world.stream, stream = None, world.stream
    world.written = Lsn(100 * FAR_BYTES)
    speed = 100 * FAR_BYTES // 10

    def ask() -> StandbyFacts:
        if world.stream is None:
            world.written = Lsn(100 * FAR_BYTES + round(world.now * speed / 2))
            replayed = Lsn(round(world.now * speed))
            if replayed < world.written:
                return replace(APART, replayed=replayed)
            world.stream = stream
        return replace(NODE, replayed=world.written, received=world.written)

    assert fault(world.watch(ask)) is None
    assert world.now > 15


def test_one_that_does_not_get_nearer_is_not_waited_for(world: World) -> None:
    world.stream = None
    world.written = Lsn(100 * FAR_BYTES)
    speed = 100 * FAR_BYTES // 10

    def ask() -> StandbyFacts:
        world.written = Lsn(100 * FAR_BYTES + round(world.now * speed))
        return replace(APART, replayed=Lsn(round(world.now * speed)))

    seen = world.watch(ask)
    assert fault(seen) is Fault.NOT_STREAMING
    assert 10 < world.now < 12


def test_one_that_gets_nearer_only_once_is_not_waited_for_without_end(world: World) -> None:
    """It catches up with half of what it lacks, and then keeps the same distance."""
    world.stream = None
    speed = 10 * FAR_BYTES

    def ask() -> StandbyFacts:
        world.written = Lsn(100 * FAR_BYTES + round(world.now * speed))
        return replace(APART, replayed=Lsn(max(0, world.written - 50 * FAR_BYTES)))

    def nearer() -> StandbyFacts:
        node = ask()
        return node if world.now > 0.1 else replace(node, replayed=Lsn(1))

    seen = world.watch(nearer)
    assert fault(seen) is Fault.NOT_STREAMING
    assert world.now < 30


def test_one_that_follows_the_archive_alone_is_not_waited_for_without_end(world: World) -> None:
    """It has what the primary had written when the wait began, and the rest from an archive."""
    world.stream = None

    def ask() -> StandbyFacts:
        world.written = Lsn(100 + round(world.now * 100))
        return replace(APART, replayed=world.written)

    seen = world.watch(ask)
    assert fault(seen) is Fault.NOT_STREAMING
    assert world.now < 3 * EXPECTED.begin_s


@pytest.mark.parametrize(("ends_after", "expected"), [(1.0, None), (9.0, Fault.NOT_STREAMING)])
def test_call_of_a_restore_command_is_waited_for(
    world: World, ends_after: float, expected: Fault | None
) -> None:
    world.stream, stream = None, world.stream

    def ask() -> StandbyFacts:
        if world.now < ends_after:
            return replace(APART, restoring=4711)
        world.stream = stream
        return replace(NODE, replayed=world.written, received=world.written)

    limits = replace(EXPECTED, restore_s=3.0)
    assert fault(watch(cast("Any", None), limits, ask)) is expected
    assert world.now < 4


def test_where_nobody_gets_in_the_primary_writes_again(world: World) -> None:
    """A standby reports how far it has replayed only when something is sent to it."""

    def ask() -> StandbyFacts:
        heard = Lsn(100 + 10 * (world.writes - 1)) if world.writes else Lsn(100)
        world.stream = StreamFacts("streaming", "slot", "node1", heard, heard)
        return replace(NODE, replayed=None, received=world.written, problem="nobody gets in")

    monkey = replace(EXPECTED, begin_s=10, catch_up_s=10)
    seen = watch(cast("Any", None), monkey, ask)
    assert fault(seen) is None
    assert world.writes == 2
