"""The files in a pg_wal that a server would read, and digests of them."""

import hashlib
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory.own_wal import digests, own_wal
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.facts.own_wal import OwnWal, Part
from tests.unit.agent.directory.test_local_wal import SEGMENT_BYTES, write


def test_names_that_matter(tmp_path: Path) -> None:
    """A file for later use is left out; a history that cannot be read is reported."""
    write(tmp_path, 7)
    write(tmp_path, 8, first_page_of=3)
    pg_wal = tmp_path / "pg_wal"
    (pg_wal / f"{1:08X}{9:016X}.partial").write_bytes(b"")
    (pg_wal / "00000002.history").write_text("1\t0/00003000\tno recovery target specified\n")
    (pg_wal / "00000003.history").write_text("broken")
    (pg_wal / "00000004.history").write_bytes(b"\xff")
    (pg_wal / "summaries").mkdir()
    (pg_wal / "summaries" / f"{1:040X}.summary").write_bytes(b"")
    assert own_wal(tmp_path, SEGMENT_BYTES) == OwnWal(
        files=(f"{1:08X}{7:016X}", f"{1:08X}{9:016X}.partial"),
        histories=(History(TimelineId(2), (Point(TimelineId(1), Lsn(0x3000)),)),),
        unreadable=("00000003.history", "00000004.history"),
        summaries=(f"{1:040X}.summary",),
    )


def test_no_directory(tmp_path: Path) -> None:
    assert own_wal(tmp_path / "nowhere", SEGMENT_BYTES) == OwnWal()


def test_digests_of_parts(tmp_path: Path) -> None:
    name = f"{1:08X}{7:016X}"
    (tmp_path / "pg_wal").mkdir()
    (tmp_path / "pg_wal" / name).write_bytes(b"0123456789")
    parts = [Part(name, 2, 3), Part(name, 8, 100), Part(f"{2:024X}", 0, 1)]
    found = digests(tmp_path, parts)
    assert found == (hashlib.sha256(b"234").hexdigest(), hashlib.sha256(b"89").hexdigest(), None)


@pytest.mark.parametrize("name", ["../PG_VERSION", "/etc/passwd", "summaries/../x", "x" * 24])
def test_nothing_else_is_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refused):
        digests(tmp_path, [Part(name, 0, 1)])
