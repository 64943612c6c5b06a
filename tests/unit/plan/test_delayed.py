"""A standby with a replay delay starts without a commit that it would wait for."""

from dataclasses import replace

import pytest

from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.facts.facts import Facts
from pgpool_recovery.facts.leftover import DELAY, Leftover
from pgpool_recovery.facts.own_wal import Compared, OwnWal
from pgpool_recovery.facts.policy import Policy
from pgpool_recovery.facts.step.standby import KeepToPast
from pgpool_recovery.plan.catch_up import propose
from pgpool_recovery.plan.past import FIRST_RECORD_BYTES
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.plan.situation import Situation
from tests.unit.plan import situation

SIZE = situation.SEGMENT
ONE, TWO = TimelineId(1), TimelineId(2)
END = Point(ONE, Lsn(51 * SIZE + 1000))
"""Up to where the node had replayed."""
FORK = Lsn(52 * SIZE + 500)


def file(timeline: int, segment: int) -> str:
    return f"{timeline:08X}{segment // 256:08X}{segment % 256:08X}"


def facts(*, is_delayed: bool, history: History, state: str = "in archive recovery") -> Facts:
    """Return a standby that has more WAL than it has replayed."""
    files = (file(1, 50), file(1, 51), file(1, 52), file(1, 53))
    target = situation.target(
        control=situation.control(state=state, minimum_end=END),
        own_wal=OwnWal(files=files, histories=()),
    )
    assert target.configuration is not None
    delay = (Leftover(DELAY, "3600000", "postgresql.conf:1"),) if is_delayed else ()
    configuration = replace(target.configuration, leftovers=delay)
    return situation.facts(
        target=replace(target, configuration=configuration),
        primary=situation.primary(wal=situation.wal(history=history)),
        compared=Compared(END, is_same=True, whole=(file(1, 51), file(1, 52))),
    )


def step(facts: Facts) -> KeepToPast:
    plan = propose(Situation(situation.TARGET, facts, Policy()))
    assert isinstance(plan, Plan), plan
    (found,) = (one for one in plan.steps if isinstance(one, KeepToPast))
    return found


@pytest.mark.parametrize("is_delayed", [False, True])
def test_wal_that_it_has_received(*, is_delayed: bool) -> None:
    """It requests all of it again from the primary, so it streams."""
    found = step(facts(is_delayed=is_delayed, history=History(ONE)))
    if is_delayed:
        assert found.moved == (file(1, 51), file(1, 52), file(1, 53))
        assert (found.fetched, found.sizes) == ((file(1, 51),), (1000,))
    else:
        assert found.moved == (file(1, 53),)
        assert (found.fetched, found.sizes) == ((file(1, 53),), ())


def test_fork_is_reached() -> None:
    """It gets the start of the new timeline, so that no archive leads it past the fork."""
    found = step(facts(is_delayed=True, history=History(TWO, (Point(ONE, FORK),))))
    assert found.moved == (file(1, 52), file(1, 53), file(1, 51))
    assert found.fetched == (file(1, 51), file(2, 52))
    assert found.sizes == (1000, 500 + FIRST_RECORD_BYTES)
