"""What each state of a data directory says about the point from which it lacks something."""

from dataclasses import replace

import pytest

from pgpool_recovery.agent.method.incremental.control_file import parse_control_file
from pgpool_recovery.agent.method.incremental.stale_directory import UNKNOWN_END, vouched_base
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId, parse_lsn
from pgpool_recovery.facts.facts import Base

OUTPUT = """\
pg_control version number:            1300
Catalog version number:               202406281
Database system identifier:           7301415926535897932
Database cluster state:               shut down in recovery
pg_control last modified:             Mon Aug 31 10:00:00 2026
Latest checkpoint location:           0/9000080
Latest checkpoint's REDO location:    0/9000028
Latest checkpoint's REDO WAL file:    000000020000000000000009
Latest checkpoint's TimeLineID:       2
Minimum recovery ending location:     0/9000158
Min recovery ending loc's timeline:   2
Backup start location:                0/0
Backup end location:                  0/0
End-of-backup record required:        no
wal_log_hints setting:                off
Database block size:                  8192
Blocks per segment of large relation: 131072
Data page checksum version:           1
"""
LABEL = """\
START WAL LOCATION: 0/5000028 (file 000000010000000000000005)
CHECKPOINT LOCATION: 0/5000080
BACKUP METHOD: streamed
BACKUP FROM: primary
START TIMELINE: 1
"""
FILE = parse_control_file(OUTPUT)
CONTROL = FILE.data


def point(timeline: int, lsn: str) -> Point:
    return Point(TimelineId(timeline), parse_lsn(lsn))


def unknown(timeline: int) -> Point:
    return Point(TimelineId(timeline), UNKNOWN_END)


def test_the_lines_of_pg_controldata() -> None:
    assert (FILE.catalog_version, FILE.block_bytes, FILE.segment_blocks) == (
        202406281,
        8192,
        131072,
    )


UNITS = ("Catalog version", "Database block size", "Blocks per segment")


@pytest.mark.parametrize("missing", UNITS)
def test_output_that_lacks_a_line(missing: str) -> None:
    with pytest.raises(Refused, match="could not understand the output of pg_controldata"):
        parse_control_file(OUTPUT.replace(missing, "Another line"))


def test_a_standby_stopped_or_killed() -> None:
    expected = Base(point(2, "0/9000028"), point(2, "0/9000158"))
    assert vouched_base(CONTROL, None) == expected
    assert vouched_base(replace(CONTROL, state="in archive recovery"), None) == expected


def test_a_primary_that_was_stopped_cleanly() -> None:
    control = replace(CONTROL, state="shut down", minimum_end=None)
    assert vouched_base(control, None) == Base(point(2, "0/9000028"), point(2, "0/9000028"))


def test_a_minimum_before_redo() -> None:
    control = replace(CONTROL, minimum_end=point(1, "0/8000000"))
    assert vouched_base(control, None) == Base(point(2, "0/9000028"), point(2, "0/9000028"))


@pytest.mark.parametrize("state", ["in production", "shutting down", "in crash recovery"])
def test_a_primary_that_crashed_is_refused(state: str) -> None:
    with pytest.raises(Refused) as caught:
        vouched_base(replace(CONTROL, state=state), None)
    assert state in caught.value.message


def test_after_pg_rewind_the_label_decides() -> None:
    """The control file has the REDO of the source."""
    control = replace(CONTROL, state="in archive recovery")
    assert vouched_base(control, LABEL) == Base(point(1, "0/5000028"), point(2, "0/9000158"))


def test_a_base_backup_that_was_never_started() -> None:
    """Its pages may be as new as its end, which is not recorded: so no fork may be before it."""
    control = replace(
        CONTROL,
        state="in production",
        timeline=TimelineId(1),
        redo=parse_lsn("0/5000028"),
        minimum_end=None,
    )
    assert vouched_base(control, LABEL) == Base(point(1, "0/5000028"), unknown(1))


def test_a_base_backup_whose_end_was_not_reached() -> None:
    control = replace(CONTROL, state="in archive recovery", is_consistent=False)
    assert vouched_base(control, None) == Base(point(2, "0/9000028"), unknown(2))


def test_an_incremental_backup_is_not_a_data_directory() -> None:
    with pytest.raises(Refused, match="is an incremental backup"):
        vouched_base(CONTROL, LABEL + "INCREMENTAL FROM LSN: 0/4000028\n")


def test_a_label_that_cannot_be_understood() -> None:
    with pytest.raises(Refused, match="could not read the start position"):
        vouched_base(CONTROL, "nonsense")


def test_the_unknown_end_is_past_every_position() -> None:
    assert parse_lsn("FFFFFFFF/FFFFFFFF") == UNKNOWN_END
    assert Lsn(2**64 - 1) == UNKNOWN_END
