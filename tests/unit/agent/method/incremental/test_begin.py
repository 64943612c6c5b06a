"""A target that has replayed what the primary never wrote is refused (C3 in methods.md)."""

import pytest

from pgpool_recovery.agent.method.incremental.begin import (
    check_not_past_fork,
    check_same_timeline,
)
from pgpool_recovery.agent.method.incremental.stale_directory import UNKNOWN_END
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.facts.facts import Base

HISTORY = History(
    TimelineId(3), (Point(TimelineId(1), Lsn(0x1000)), Point(TimelineId(2), Lsn(0x2000)))
)


def point(timeline: int, lsn: int) -> Point:
    return Point(TimelineId(timeline), Lsn(lsn))


@pytest.mark.parametrize(
    "end",
    [point(1, 0x900), point(1, 0x1000), point(2, 0x2000), point(3, 0x9000), point(3, UNKNOWN_END)],
)
def test_point_in_the_primarys_history(end: Point) -> None:
    check_not_past_fork(Base(point(1, 0x800), end), HISTORY)


@pytest.mark.parametrize(
    ("base", "detail"),
    [
        (
            Base(point(1, 0x800), point(1, 0x1001)),
            "up to 0/1001 on timeline 1; the primary left that timeline at 0/1000 on timeline 1.",
        ),
        (
            Base(point(1, 0x800), point(2, UNKNOWN_END)),
            "up to an unknown point; the primary left that timeline at 0/2000 on timeline 2.",
        ),
        (
            Base(point(1, 0x800), point(4, 0x900)),
            "timeline 4, which is not in the primary's history.",
        ),
        (
            Base(point(2, 0x2001), point(3, 0x2002)),
            "up to 0/2001 on timeline 2; the primary left that timeline at 0/2000 on timeline 2.",
        ),
    ],
)
def test_point_outside_of_the_primarys_history(base: Base, detail: str) -> None:
    with pytest.raises(Refused, match="the target has diverged from the primary") as caught:
        check_not_past_fork(base, HISTORY)
    assert caught.value.detail == f"It has replayed {detail}"


def test_half_applied_from_another_primary_with_the_same_timeline_number() -> None:
    check_same_timeline(point(2, 0x1000), point(2, 0x1000))
    with pytest.raises(Refused, match="half applied from another primary") as caught:
        check_same_timeline(point(2, 0x1000), point(2, 0x1100))
    assert caught.value.detail == (
        "Its timeline 2 began at 0/1000, this primary's timeline 2 at 0/1100."
    )
