"""Find and read the timeline history files in a pg_wal."""

import re
from collections.abc import Iterator
from pathlib import Path

from pgpool_recovery.domain.wal import History, TimelineId, parse_history
from pgpool_recovery.files.text import read_text

HISTORY_FILE = re.compile(r"([0-9A-F]{8})\.history")
MAX_BYTES = 1 << 20
FIRST = TimelineId(1)


def history_files(pg_wal: Path, since: TimelineId = FIRST) -> Iterator[tuple[Path, TimelineId]]:
    """Yield the files with their timelines, from timeline `since` on; raise OSError."""
    for entry in sorted(pg_wal.iterdir()):
        match = HISTORY_FILE.fullmatch(entry.name)
        if match and int(match[1], 16) >= since:
            yield entry, TimelineId(int(match[1], 16))


def read_history(file: Path, timeline: TimelineId) -> History:
    """Return the history in a file; raise OSError, or Refused when it is not a history."""
    return parse_history(read_text(file, MAX_BYTES), timeline)
