"""The WAL files that a data directory already has."""

import re
import struct
from collections.abc import Iterable
from pathlib import Path

from pgpool_recovery.domain.wal import TimelineId, segment_of_file

WAL_FILE = re.compile(r"[0-9A-F]{24}")
PAGE_HEADER = struct.Struct("=HHIQ")
"""The start of XLogPageHeaderData: magic, info, timeline, address of the page."""


def wal_files(directory: Path, timelines: Iterable[TimelineId]) -> list[Path]:
    """Return the WAL files of these timelines; none when pg_wal cannot be read."""
    known = {f"{timeline:08X}" for timeline in timelines}
    try:
        entries = list((directory / "pg_wal").iterdir())
    except OSError:
        return []
    return [e for e in entries if WAL_FILE.fullmatch(e.name) and e.name[:8] in known]


def first_missing(
    directory: Path, begin: int, timelines: Iterable[TimelineId], segment_bytes: int
) -> int:
    """Return the number of the first WAL segment, from `begin` on, that the directory lacks.

    A file that was created in advance, or recycled for later use, has the name of a segment but not
    its first page. If that page is there, all earlier segments are complete: a primary and a
    standby both flush each segment to disk before they begin the next one.
    """
    files = wal_files(directory, timelines)
    numbers = ((segment_of_file(file.name, segment_bytes), file) for file in files)
    there = {number for number, file in numbers if begins_at(file, number * segment_bytes)}
    number = begin
    while number in there:
        number += 1
    return number


def begins_at(file: Path, lsn: int) -> bool:
    """Return whether the first page of a WAL file is the one at this position."""
    with file.open("rb") as opened:
        header = opened.read(PAGE_HEADER.size)
    return len(header) == PAGE_HEADER.size and PAGE_HEADER.unpack(header)[-1] == lsn
