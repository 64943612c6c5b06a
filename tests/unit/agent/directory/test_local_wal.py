"""Which WAL a data directory has is determined by the contents of the files, not their names."""

from pathlib import Path

from pgpool_recovery.agent.directory.local_wal import PAGE_HEADER, first_missing
from pgpool_recovery.domain.wal import TimelineId

SEGMENT_BYTES = 1 << 24


def write(
    directory: Path, number: int, *, first_page_of: int | None = None, timeline: int = 1
) -> None:
    """Write a segment, or a file for later use: the name of one segment, the pages of another."""
    pages = directory / "pg_wal"
    pages.mkdir(exist_ok=True)
    file = pages / f"{timeline:08X}{number // 256:08X}{number % 256:08X}"
    lsn = (number if first_page_of is None else first_page_of) * SEGMENT_BYTES
    file.write_bytes(PAGE_HEADER.pack(0xD110, 2, timeline, lsn) + bytes(8192))


def first(directory: Path, begin: int) -> int:
    return first_missing(directory, begin, [TimelineId(1), TimelineId(2)], SEGMENT_BYTES)


def test_segments_in_a_row(tmp_path: Path) -> None:
    assert first(tmp_path, 7) == 7
    write(tmp_path, 7)
    write(tmp_path, 8, timeline=2)
    write(tmp_path, 10)
    assert first(tmp_path, 7) == 9
    assert first(tmp_path, 6) == 6


def test_files_for_later_use(tmp_path: Path) -> None:
    write(tmp_path, 7)
    write(tmp_path, 8, first_page_of=3)
    assert first(tmp_path, 7) == 8
    (tmp_path / "pg_wal" / f"{1:08X}{0:08X}{8:08X}").write_bytes(bytes(SEGMENT_BYTES))
    assert first(tmp_path, 7) == 8
    (tmp_path / "pg_wal" / f"{1:08X}{0:08X}{8:08X}").write_bytes(b"")
    assert first(tmp_path, 7) == 8


def test_other_timelines(tmp_path: Path) -> None:
    write(tmp_path, 7, timeline=3)
    assert first(tmp_path, 7) == 7
