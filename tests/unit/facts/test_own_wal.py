"""Which files are the primary's past, and which of its files hold it."""

import pytest

from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.facts.own_wal import (
    MAX_PART_BYTES,
    OwnWal,
    Part,
    names_of,
    offset_in_wal,
    parts_of_whole,
    strays,
    summaries_of,
)

SIZE = 16 * 2**20
ONE, TWO, THREE = TimelineId(1), TimelineId(2), TimelineId(3)
HISTORY = History(THREE, (Point(ONE, Lsn(5 * SIZE + 100)), Point(TWO, Lsn(7 * SIZE))))


def file(timeline: int, segment: int) -> str:
    return f"{timeline:08X}{segment:016X}"


@pytest.mark.parametrize(
    ("name", "is_past"),
    [
        (file(1, 4), True),
        (file(1, 5), False),  # Where it left the timeline.
        (file(1, 9), False),
        (file(2, 4), False),  # From before it began.
        (file(2, 5), True),
        (file(2, 6), True),
        (file(2, 7), False),  # It left it at the start of that one.
        (file(3, 7), True),
        (file(4, 3), False),
        (file(1, 5) + ".partial", False),
    ],
)
def test_files(name: str, is_past: bool) -> None:  # noqa: FBT001 - a column of the table
    assert strays(OwnWal(files=(name,)), HISTORY, SIZE) == (() if is_past else (name,))


def test_histories() -> None:
    """One that differs from the primary's, and all newer ones, are strays."""
    other = History(TWO, (Point(ONE, Lsn(5 * SIZE)),))
    newer = History(TimelineId(9), (Point(ONE, Lsn(5 * SIZE)),))
    same = History(TWO, HISTORY.ends[:1])
    own = OwnWal(histories=(other, same, HISTORY, newer), unreadable=("0000000A.history",))
    found = ("00000002.history", "00000009.history", "0000000A.history")
    assert strays(own, HISTORY, SIZE) == found


def test_copy_of_the_wal_before_the_fork() -> None:
    """The first file of a timeline begins with it, up to the fork and not beyond."""
    assert names_of(5, Lsn(5 * SIZE + 100), HISTORY, SIZE) == (file(1, 5), file(2, 5))
    assert names_of(5, Lsn(5 * SIZE + 101), HISTORY, SIZE) == (file(2, 5),)
    assert names_of(6, Lsn(9 * SIZE), HISTORY, SIZE) == (file(2, 6),)
    assert names_of(7, Lsn(9 * SIZE), HISTORY, SIZE) == (file(3, 7),)


def test_large_segments_are_read_in_parts() -> None:
    parts = parts_of_whole("x", 2**30)
    assert parts[0] == Part("x", 0, MAX_PART_BYTES)
    assert sum(part.size_bytes for part in parts) == 2**30


def test_checkpoint_that_crosses_a_page_boundary() -> None:
    assert offset_in_wal(Lsn(SIZE + 0x28), SIZE) == 0x28 + 26 + 36
    assert offset_in_wal(Lsn(SIZE + 8192 - 90), SIZE) is None


def test_summaries_up_to_a_position() -> None:
    def name(timeline: int, start: int, end: int) -> str:
        return f"{timeline:08X}{start:016X}{end:016X}.summary"

    names = (name(2, 10, 20), name(2, 20, 30), name(1, 1, 10), name(2, 30, 40))
    assert summaries_of(OwnWal(summaries=names), Point(TWO, Lsn(30))) == names[:2]
