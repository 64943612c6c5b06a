"""The output of pg_controldata."""

import re

import pytest

from pgpool_recovery.domain.control_data import ControlData, parse_control_data
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId

OUTPUT = """\
pg_control version number:            1300
Catalog version number:               202209061
Database system identifier:           7301415926535897932
Database cluster state:               shut down in recovery
pg_control last modified:             Mon 23 Nov 2026 01:07:03 AM UTC
Latest checkpoint location:           0/6000060
Latest checkpoint's REDO location:    0/6000028
Latest checkpoint's TimeLineID:       3
Latest checkpoint's oldestCommitTsXid:0
Minimum recovery ending location:     1/7000000
Min recovery ending loc's timeline:   2
Backup start location:                0/0
Backup end location:                  0/0
End-of-backup record required:        no
wal_log_hints setting:                on
Data page checksum version:           1
"""


def test_lines_that_decisions_depend_on() -> None:
    assert parse_control_data(OUTPUT) == ControlData(
        system_identifier="7301415926535897932",
        state="shut down in recovery",
        timeline=TimelineId(3),
        checkpoint=Lsn(0x6000060),
        redo=Lsn(0x6000028),
        minimum_end=Point(TimelineId(2), Lsn(0x107000000)),
        has_checksums=True,
        has_wal_log_hints=True,
        is_consistent=True,
    )


def test_positions_as_postgresql_19_prints_them_are_the_same() -> None:
    nineteen = as_nineteen(OUTPUT)
    assert "location:                0/00000000\n" in nineteen
    assert parse_control_data(nineteen) == parse_control_data(OUTPUT)


def as_nineteen(text: str) -> str:
    """Return positions with eight digits after the slash."""
    return re.sub(r"(?m)\b([0-9A-F]+)/([0-9A-F]+)$", lambda m: f"{m[1]}/{m[2]:>08}", text)


def test_primary_has_no_minimum_end() -> None:
    text = OUTPUT.replace("1/7000000", "0/0").replace("timeline:   2", "timeline:   0")
    assert parse_control_data(text).minimum_end is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Backup start location:                0/0", "Backup start location: 0/2000028"),
        ("Backup end location:                  0/0", "Backup end location: 0/3000028"),
        ("End-of-backup record required:        no", "End-of-backup record required: yes"),
    ],
)
def test_base_backup_whose_end_was_not_reached(before: str, after: str) -> None:
    assert before in OUTPUT
    text = OUTPUT.replace(before, after)
    assert not parse_control_data(text).is_consistent
    assert not parse_control_data(as_nineteen(text)).is_consistent


@pytest.mark.parametrize("text", ["pg_controldata: fatal: no data", OUTPUT.replace("0/600", "x/")])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="could not understand"):
        parse_control_data(text)
