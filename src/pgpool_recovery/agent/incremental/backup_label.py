"""The file backup_label: from where on a base backup is to be recovered (xlogbackup.c)."""

import re

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.wal import Point, TimelineId, parse_lsn

BACKUP_LABEL = "backup_label"
MAX_BYTES = 65536
START_PATTERN = re.compile(
    r"^START WAL LOCATION: (\S+) \(file ([0-9A-F]{8})[0-9A-F]{16}\)$", re.MULTILINE
)
INCREMENTAL = "INCREMENTAL FROM "


def start_of(label: str) -> Point:
    """Return where recovery begins; the timeline is that of the WAL file, also after pg_rewind.

    >>> str(start_of("START WAL LOCATION: 0/2000028 (file 000000030000000000000002)\\n"))
    '0/2000028 on timeline 3'
    """
    match = START_PATTERN.search(label)
    if match is None:
        raise Refused("backup_label of the target cannot be understood", detail=label[:200])
    return Point(TimelineId(int(match[2], 16)), parse_lsn(match[1]))


def is_incremental(label: str) -> bool:
    """Say whether the server refuses to start on it, because only changed blocks are there."""
    return any(line.startswith(INCREMENTAL) for line in label.splitlines())


def without_incremental(label: str) -> str:
    r"""Return the label of the whole that an incremental backup was made into.

    >>> without_incremental("START TIMELINE: 1\nINCREMENTAL FROM LSN: 0/1\n")
    'START TIMELINE: 1\n'
    """
    lines = label.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(INCREMENTAL))
