"""pg_controldata of every supported major version, in every state of a data directory."""

from dataclasses import dataclass

import pytest

from pgpool_recovery.agent.method.incremental.control_file import parse_control_file
from pgpool_recovery.domain.backup_label import parse_backup_label
from pgpool_recovery.domain.control_data import ControlData, parse_control_data
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId, parse_history, parse_lsn
from pgpool_recovery.facts.facts import Wal
from pgpool_recovery.plan.divergence import Copied, Diverged, Follows, Relation, relate
from tests.majors import SUPPORTED
from tests.unit.programs.recorded import RECORDED, on_each_major, recorded


@dataclass(frozen=True)
class Expected:
    """What a state means, whichever version prints it.

    The primary is one that stayed on timeline 1, or one that left it where the recorded standby was
    promoted; each has written more than any directory holds.
    """

    state: str
    timeline: int
    to_primary_on_1: type[Relation]
    to_primary_on_2: type[Relation]
    label: str | None = None
    has_minimum_end: bool = False
    is_consistent: bool = True


STATES = {
    "in_production": Expected("in production", 1, Copied, Diverged),
    "killed_in_production": Expected("in production", 2, Diverged, Copied),
    "in_crash_recovery": Expected("in crash recovery", 2, Diverged, Copied),
    "shut_down": Expected("shut down", 1, Copied, Diverged),
    "shut_down_in_recovery": Expected(
        "shut down in recovery", 1, Follows, Follows, has_minimum_end=True
    ),
    "in_archive_recovery": Expected(
        "in archive recovery", 1, Follows, Follows, has_minimum_end=True
    ),
    "base_backup_of_primary": Expected(
        "in production", 1, Follows, Diverged, label="backup_label_of_primary"
    ),
    "base_backup_of_standby": Expected(
        "in archive recovery",
        1,
        Follows,
        Follows,
        label="backup_label_of_standby",
        has_minimum_end=True,
    ),
    "backup_without_its_end": Expected(
        "in archive recovery", 1, Follows, Diverged, has_minimum_end=True, is_consistent=False
    ),
    "rewound": Expected(
        "in archive recovery",
        2,
        Diverged,
        Follows,
        label="backup_label_of_pg_rewind",
        has_minimum_end=True,
    ),
}


def test_every_supported_major_is_recorded() -> None:
    assert tuple(RECORDED) == SUPPORTED
    for major, version in RECORDED.items():
        assert version.split()[0] in recorded(major, "version.txt")


@on_each_major
@pytest.mark.parametrize("state", STATES)
def test_state(major: int, state: str) -> None:
    found, expected = control(major, state), STATES[state]
    assert found.state == expected.state
    assert found.timeline == expected.timeline
    assert found.newest_timeline == expected.timeline
    assert found.has_wal_log_hints
    assert found.has_checksums is (major >= 18), "initdb makes them from 18 on"
    assert found.is_consistent is expected.is_consistent
    assert (found.minimum_end is not None) is expected.has_minimum_end
    assert 0 < found.redo <= found.checkpoint


@on_each_major
@pytest.mark.parametrize("state", STATES)
def test_rival_is_not_taken_for_a_standby(major: int, state: str) -> None:
    """With 19's output a rival was once taken for a standby, and its rows for the primary's."""
    expected = STATES[state]
    stayed, left = History(TimelineId(1)), parse_history(recorded(major, "history"), TimelineId(2))
    assert type(relation(major, state, stayed)) is expected.to_primary_on_1
    assert type(relation(major, state, left)) is expected.to_primary_on_2


@on_each_major
def test_positions_are_those_of_the_server(major: int) -> None:
    def position(name: str) -> Lsn:
        return parse_lsn(recorded(major, name).strip())

    fork = parse_history(recorded(major, "history"), TimelineId(2)).end_of(TimelineId(1))
    stopped = control(major, "shut_down_in_recovery")
    assert stopped.minimum_end == Point(TimelineId(1), position("position_before_stop.txt"))
    assert fork == position("position_before_stop.txt")
    assert control(major, "shut_down").checkpoint >= position("position_of_rival.txt") > fork
    killed = control(major, "killed_in_production")
    assert killed.redo < position("position_before_crash.txt")
    cut = control(major, "backup_without_its_end")
    assert cut.redo == parse_backup_label(recorded(major, "backup_label_by_hand")).lsn


@on_each_major
def test_units_of_the_files(major: int) -> None:
    found = parse_control_file(recorded(major, "controldata/shut_down.txt"))
    assert (found.block_bytes, found.segment_blocks) == (8192, 131072)
    assert str(found.catalog_version).startswith("20")


def control(major: int, state: str) -> ControlData:
    return parse_control_data(recorded(major, f"controldata/{state}.txt"))


def relation(major: int, state: str, history: History) -> Relation:
    label = STATES[state].label
    start = None if label is None else parse_backup_label(recorded(major, label))
    wal = Wal(
        history=history,
        written=parse_lsn("1/0"),
        segment_bytes=16 * 2**20,
        oldest_segment=0,
        full_page_writes=True,
        is_summarized=True,
    )
    return relate(control(major, state), start, None, wal)
