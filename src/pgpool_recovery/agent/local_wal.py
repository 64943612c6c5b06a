"""The WAL that a data directory has itself."""

import re
from collections.abc import Iterable
from pathlib import Path

from pgpool_recovery.domain.wal import TimelineId, segment_of_file

WAL_FILE = re.compile(r"[0-9A-F]{24}")


def wal_files(directory: Path, timelines: Iterable[TimelineId]) -> list[Path]:
    """Return the WAL files of these timelines."""
    known = {f"{timeline:08X}" for timeline in timelines}
    try:
        entries = list((directory / "pg_wal").iterdir())
    except OSError:
        return []
    return [e for e in entries if WAL_FILE.fullmatch(e.name) and e.name[:8] in known]


def first_missing(
    directory: Path, begin: int, timelines: Iterable[TimelineId], segment_bytes: int
) -> int:
    """Return the number of the first WAL segment, from `begin` on, that the directory lacks."""
    there = {segment_of_file(file.name, segment_bytes) for file in wal_files(directory, timelines)}
    number = begin
    while number in there:
        number += 1
    return number
