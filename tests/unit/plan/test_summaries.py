"""Whether summaries cover a gap, and what C2 leaves out."""

import pytest

from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.facts.facts import RelationSegment
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.plan.summaries import (
    Summaries,
    Summary,
    first_gap,
    left_out,
    limit_parameters,
    newly_left_out,
    read_summaries,
    reject_coverage,
)

ONE = History(TimelineId(1))
TWO = History(TimelineId(2), (Point(TimelineId(1), Lsn(500)),))


def point(timeline: int, lsn: int) -> Point:
    return Point(TimelineId(timeline), Lsn(lsn))


def summaries(*available: tuple[int, int, int], reached: Point) -> Summaries:
    return Summaries(
        is_enabled=True,
        is_running=True,
        keep_time="10d",
        reached=reached,
        available=tuple(
            Summary(TimelineId(t), Lsn(start), Lsn(end)) for t, start, end in available
        ),
    )


Spans = list[tuple[int, int, int]]

COVERED: dict[str, tuple[History, Point, Spans, Point]] = {
    "one": (ONE, point(1, 150), [(1, 100, 200)], point(1, 200)),
    "from its start": (ONE, point(1, 100), [(1, 100, 200)], point(1, 200)),
    "a chain": (ONE, point(1, 150), [(1, 200, 300), (1, 100, 200)], point(1, 300)),
    "overlapping": (ONE, point(1, 150), [(1, 100, 250), (1, 200, 300)], point(1, 300)),
    "all is to come": (ONE, point(1, 150), [], point(1, 100)),
    "the summarizer lags": (ONE, point(1, 250), [(1, 100, 200)], point(1, 200)),
    "nothing is needed": (ONE, point(1, 200), [(1, 100, 200)], point(1, 200)),
    "over a switch": (TWO, point(1, 150), [(1, 100, 500), (2, 500, 700)], point(2, 700)),
    "past the switch": (TWO, point(1, 150), [(1, 100, 600), (2, 500, 700)], point(2, 700)),
    "not at the switch yet": (TWO, point(1, 150), [(1, 100, 400)], point(1, 400)),
    "after the switch": (TWO, point(2, 550), [(2, 500, 700)], point(2, 700)),
}
GAPS: dict[str, tuple[History, Point, Spans, Point, Point]] = {
    "too young": (ONE, point(1, 150), [(1, 200, 300)], point(1, 300), point(1, 150)),
    "a hole": (ONE, point(1, 150), [(1, 9, 200), (1, 220, 300)], point(1, 300), point(1, 200)),
    "removed": (ONE, point(1, 150), [(1, 100, 200)], point(1, 300), point(1, 200)),
    "never began": (ONE, point(1, 150), [], point(0, 0), point(1, 150)),
    "before the switch": (
        *(TWO, point(1, 150), [(1, 100, 400), (2, 500, 700)], point(2, 700)),
        point(1, 400),
    ),
    "after the switch": (
        *(TWO, point(1, 150), [(1, 100, 500), (2, 600, 700)], point(2, 700)),
        point(2, 500),
    ),
    "of another timeline": (TWO, point(2, 550), [(1, 9, 900)], point(2, 700), point(2, 550)),
    "on a timeline that was left": (
        TWO,
        point(2, 550),
        [(3, 9, 900)],
        point(3, 900),
        point(2, 550),
    ),
}


@pytest.mark.parametrize("what", COVERED)
def test_covered(what: str) -> None:
    history, redo, available, reached = COVERED[what]
    assert first_gap(summaries(*available, reached=reached), redo, history) is None


@pytest.mark.parametrize("what", GAPS)
def test_gaps(what: str) -> None:
    history, redo, available, reached, gap = GAPS[what]
    assert first_gap(summaries(*available, reached=reached), redo, history) == gap


ROW = {
    "tli": 1,
    "start_lsn": "0/64",
    "end_lsn": "0/C8",
    "is_enabled": True,
    "keep_time": "10d",
    "is_running": True,
    "summarized_tli": 1,
    "summarized_lsn": "0/12C",
}


def test_rows_without_a_summary() -> None:
    found = read_summaries([{**ROW, "tli": None, "start_lsn": None, "end_lsn": None}])
    assert found.available == ()
    assert found.reached == point(1, 300)


def test_a_rejection_says_from_where_on() -> None:
    assert reject_coverage(read_summaries([ROW]), point(1, 150), ONE) == Rejection(
        "the primary's WAL summaries do not go back far enough",
        detail="They are needed from 0/96 on timeline 1 on; the first gap is at 0/C8 on "
        "timeline 1.",
        hint="Set summarize_wal = on on every node, including standbys: each needs its own "
        "summaries. They are kept for wal_summary_keep_time, which is 10d here.",
    )


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"is_enabled": False}, "the primary does not summarize its WAL"),
        ({"is_running": False}, "the WAL summarizer of the primary is not running"),
    ],
)
def test_a_summarizer_that_is_off(state: dict[str, bool], message: str) -> None:
    rejection = reject_coverage(read_summaries([{**ROW, **state}]), point(1, 150), ONE)
    assert rejection is not None
    assert rejection.message == message
    assert rejection.hint is not None


def test_what_is_truncated_while_a_backup_begins() -> None:
    row = {"tablespace": 1663, "database": 5, "relfilenode": 16384, "fork": 0, "segment": 0}
    before = left_out([row])
    after = left_out([row, {**row, "segment": 2}])
    assert newly_left_out(before, after) == {RelationSegment(1663, 5, 16384, fork=0, segment=2)}
    assert newly_left_out(after, before) == frozenset(), "what was left out may be more than needed"


def test_the_parameters_of_the_queries() -> None:
    assert limit_parameters(point(1, 150)) == {"redo": "0/96", "before": None}
    # as text: the server reads it
    assert limit_parameters(point(1, 150), before=point(2, 300))["before"] == "0/12C"
