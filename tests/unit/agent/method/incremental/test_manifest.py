"""The manifest has the server's format, and vouches for nothing that it must not."""

import hashlib
import json

import pytest

from pgpool_recovery.agent.method.incremental.manifest import WalRange, manifest, wal_ranges
from pgpool_recovery.agent.method.incremental.stale_directory import UNKNOWN_END
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.facts.facts import Base

HISTORY = History(
    TimelineId(3), (Point(TimelineId(1), Lsn(0x1000)), Point(TimelineId(2), Lsn(0x2000)))
)


def point(timeline: int, lsn: int) -> Point:
    return Point(TimelineId(timeline), Lsn(lsn))


def wal(timeline: int, start: int, end: int) -> WalRange:
    return WalRange(TimelineId(timeline), Lsn(start), Lsn(end))


def test_the_whole_text() -> None:
    needed = [wal(1, 0x800, 0x1000), wal(2, 0x1000, 0x1_0000_0028)]
    text = manifest("7301415926535897932", needed, ["global/1260", "base/5/1"])
    read = json.loads(text)
    digest = read.pop("Manifest-Checksum")
    assert read == {
        "PostgreSQL-Backup-Manifest-Version": 2,
        "System-Identifier": 7301415926535897932,
        "Files": [{"Path": "base/5/1", "Size": 0}, {"Path": "global/1260", "Size": 0}],
        "WAL-Ranges": [
            {"Timeline": 1, "Start-LSN": "0/800", "End-LSN": "0/1000"},
            {"Timeline": 2, "Start-LSN": "0/1000", "End-LSN": "1/28"},
        ],
    }
    lines = text.splitlines(keepends=True)
    assert digest == hashlib.sha256(b"".join(lines[:-1])).hexdigest(), "the last line is left out"
    assert digest.encode() in lines[-1]


def test_without_files() -> None:
    assert json.loads(manifest("1", [wal(1, 8, 8)], []))["Files"] == []


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (Base(point(3, 0x2100), point(3, 0x2200)), [wal(3, 0x2100, 0x2200)]),
        (Base(point(1, 0x800), point(1, 0x900)), [wal(1, 0x800, 0x900)]),
        (
            Base(point(1, 0x800), point(3, 0x2200)),
            [wal(1, 0x800, 0x1000), wal(2, 0x1000, 0x2000), wal(3, 0x2000, 0x2200)],
        ),
        (Base(point(1, 0x800), point(3, UNKNOWN_END)), [wal(1, 0x800, 0x800)]),
    ],
)
def test_a_range_for_each_timeline(base: Base, expected: list[WalRange]) -> None:
    assert list(wal_ranges(base, HISTORY)) == expected
