"""The oldest WAL of a primary is that from which on nothing is missing."""

import pytest

from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.postgres.wal import oldest_without_gap

SIZE = 16 * 2**20
PROMOTED = History(TimelineId(2), (Point(TimelineId(1), Lsn(7 * SIZE + 100)),))


def names(*files: tuple[int, int]) -> set[str]:
    return {f"{timeline:08X}00000000{number:08X}" for timeline, number in files}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([(1, 5), (1, 6), (2, 7), (2, 8), (2, 9)], 5),
        ([(1, 3), (1, 5), (1, 6), (2, 7), (2, 8), (2, 9)], 5),
        ([(1, 3), (1, 6), (1, 7), (2, 8), (2, 9)], 8),  # Only the old timeline's file of the fork.
        ([(1, 6), (1, 7), (1, 8), (2, 7), (2, 9)], 9),  # What it had received past the fork.
        ([(2, 9), (2, 10), (2, 11)], 9),  # Files for later use.
        ([(3, 8), (2, 9)], 9),
    ],
)
def test_files_after_a_gap_do_not_count(files: list[tuple[int, int]], expected: int) -> None:
    assert oldest_without_gap(names(*files), PROMOTED, Lsn(9 * SIZE + 5), SIZE) == expected


def test_at_the_end_of_a_segment() -> None:
    """The next one may not exist yet."""
    files = names((2, 8), (2, 9))
    assert oldest_without_gap(files, PROMOTED, Lsn(10 * SIZE), SIZE) == 8


def test_whole_history_is_there() -> None:
    files = names(*((1, number) for number in range(3)))
    assert oldest_without_gap(files, History(TimelineId(1)), Lsn(2 * SIZE + 1), SIZE) == 0
