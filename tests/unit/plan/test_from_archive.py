"""By which files an archive is tried, and what follows from them."""

from itertools import pairwise
from pathlib import Path

import pytest

from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId, segment_of_file
from pgpool_recovery.facts.step.standby import ConfigureStandby, KeepToPast, Repoint, RepointRunning
from pgpool_recovery.plan.from_archive import (
    PARTS,
    Gap,
    gap_from,
    overlap_name,
    spread_names,
    tried_names,
)
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import Plan
from tests.unit.plan.case import read_case
from tests.unit.plan.situation import SEGMENT, wal

CASES = Path(__file__).with_name("cases")
ONE, TWO = TimelineId(1), TimelineId(2)
OLDEST = wal()


def promoted_in(segment: int, offset: int = 0x100) -> History:
    return History(TWO, (Point(ONE, Lsn(segment * SEGMENT + offset)),))


def test_nothing_is_lacking_from_the_oldest_segment_on() -> None:
    assert gap_from(10, wal()) is None
    assert gap_from(9, wal()) == Gap(9, 9)
    assert gap_from(5, wal()) == Gap(5, 9)


def test_both_ends_are_tried() -> None:
    assert tried_names(Gap(5, 9), wal()) == (
        "000000010000000000000005",
        "000000010000000000000009",
    )
    assert tried_names(Gap(9, 9), wal()) == ("000000010000000000000009",)


@pytest.mark.parametrize(
    ("fork", "expected"),
    [
        (4, ["0000000200000000" + "00000005", "0000000200000000" + "00000009"]),
        (5, ["0000000200000000" + "00000005", "0000000200000000" + "00000009"]),
        (
            7,
            [
                "000000010000000000000005",
                "000000010000000000000006",
                "000000020000000000000007",
                "000000020000000000000009",
            ],
        ),
        (
            9,
            [
                "000000010000000000000005",
                "000000010000000000000008",
                "000000020000000000000009",
            ],
        ),
        (10, ["000000010000000000000005", "000000010000000000000009"]),
    ],
)
def test_at_a_fork_both_files_are_tried(fork: int, expected: list[str]) -> None:
    """The new timeline's first file has what the old one's has up to there."""
    assert list(tried_names(Gap(5, 9), wal(history=promoted_in(fork)))) == expected


@pytest.mark.parametrize("files", [1, 2, 16, 17, 40, 256, 600_000])
def test_few_of_the_files_of_a_gap_are_fetched_twice(files: int) -> None:
    assert len(spread_names(Gap(10, 9 + files), OLDEST)) <= files / PARTS


@pytest.mark.parametrize("files", [257, 600_000])
def test_hole_in_a_long_gap_is_shorter_than_what_lies_between_two_files(files: int) -> None:
    gap = Gap(10, 9 + files)
    spread = spread_names(gap, OLDEST)
    assert len(spread) == PARTS - 1
    numbers = [segment_of_file(name, SEGMENT) for name in spread]
    assert max(gaps(gap, numbers)) <= -(-files // PARTS)
    assert max(gaps(gap, numbers[:3])) <= -(-files // 4), "the first are spread as well"


def gaps(gap: Gap, numbers: list[int]) -> list[int]:
    return [b - a for a, b in pairwise(sorted([gap.first, *numbers, gap.last]))]


def test_files_at_a_fork_are_not_tried_twice() -> None:
    """The middle is tried in any case if a fork is there."""
    promoted = wal(history=promoted_in(26))
    assert spread_names(Gap(10, 42), OLDEST)[0] == "00000001000000000000001A"
    assert "00000002000000000000001A" in tried_names(Gap(10, 42), promoted)
    assert "00000002000000000000001A" not in spread_names(Gap(10, 42), promoted)


def test_two_promotions_in_one_segment() -> None:
    three = History(
        TimelineId(3), (Point(ONE, Lsn(7 * SEGMENT + 8)), Point(TWO, Lsn(7 * SEGMENT + 96)))
    )
    assert tried_names(Gap(5, 9), wal(history=three)) == (
        "000000010000000000000005",
        "000000010000000000000006",
        "000000030000000000000007",
        "000000030000000000000009",
    )


def test_file_that_is_not_full_is_in_no_archive() -> None:
    assert overlap_name(wal()) == "00000001000000000000000A"
    assert overlap_name(wal(written=Lsn(11 * SEGMENT))) == "00000001000000000000000A"
    assert overlap_name(wal(written=Lsn(11 * SEGMENT - 1))) is None


@pytest.mark.parametrize(
    "case",
    [
        "catch_up/archive_of_the_settings",
        "catch_up/archive_for_a_directory_taken_out",
        "repoint/archive_has_the_wal",
        "rewind/archive_has_the_wal",
    ],
)
def test_command_that_is_not_the_nodes_is_set(case: str) -> None:
    made = plan_of(case)
    assert made.from_archive is not None
    (step,) = [
        step for step in made.steps if isinstance(step, Repoint | RepointRunning | ConfigureStandby)
    ]
    assert step.restore_command == made.from_archive.command
    assert made.needed_segment == made.from_archive.next_segment == 0x50


@pytest.mark.parametrize("case", ["catch_up/archive_has_the_wal", "catch_up/archive_over_a_fork"])
def test_nodes_own_command_is_left_alone(case: str) -> None:
    (step,) = [step for step in plan_of(case).steps if isinstance(step, Repoint)]
    assert step.restore_command is None


@pytest.mark.parametrize(
    "case",
    [
        "catch_up/archive_over_a_fork",
        "repoint/archive_that_it_reads_already",
        "rewind/archive_has_the_wal",
    ],
)
def test_first_file_of_a_timeline_comes_from_the_archive(case: str) -> None:
    made = plan_of(case)
    (step,) = [step for step in made.steps if isinstance(step, KeepToPast)]
    assert step.archived == ("000000020000000000000040",)
    assert step.archive == made.from_archive


def plan_of(case: str) -> Plan:
    read = read_case(CASES / f"{case}.toml")
    made = make_plan(read.target, read.facts, read.policy)
    assert isinstance(made, Plan)
    return made
