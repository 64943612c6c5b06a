"""The output of pg_controldata."""

import pytest

from pgpool_recovery.domain.control_data import ControlData, parse_control_data
from pgpool_recovery.domain.error import Refused

OUTPUT = """\
pg_control version number:            1300
Catalog version number:               202209061
Database system identifier:           7301415926535897932
Database cluster state:               shut down in recovery
pg_control last modified:             Mon 23 Nov 2026 01:07:03 AM UTC
Latest checkpoint location:           0/6000028
Latest checkpoint's TimeLineID:       3
Backup start location:                0/0
Backup end location:                  0/0
End-of-backup record required:        no
Data page checksum version:           1
"""


def test_lines_that_decisions_rest_on() -> None:
    assert parse_control_data(OUTPUT) == ControlData(
        system_identifier="7301415926535897932",
        state="shut down in recovery",
        timeline=3,
        has_checksums=True,
        is_consistent=True,
    )


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
    assert not parse_control_data(OUTPUT.replace(before, after)).is_consistent


def test_anything_else_is_refused() -> None:
    with pytest.raises(Refused, match="could not understand"):
        parse_control_data("pg_controldata: fatal: no data was returned")
