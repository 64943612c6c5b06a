"""Read the start position of a base backup from its backup_label."""

import re

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.wal import Point, TimelineId, parse_lsn

START = re.compile(r"^START WAL LOCATION: (\S+) \(file ([0-9A-F]{8})[0-9A-F]{16}\)$", re.MULTILINE)


def parse_backup_label(text: str) -> Point:
    r"""Return where recovery of the backup begins (src/backend/access/transam/xlogbackup.c).

    Refused when the START WAL LOCATION line is missing.

    >>> parse_backup_label(
    ...     "START WAL LOCATION: 0/2000028 (file 000000030000000000000002)\n"
    ... )
    Point(timeline=3, lsn=33554472)
    """
    match = START.search(text)
    if match is None:
        raise Refused("could not read the start position of the backup from backup_label")
    return Point(TimelineId(int(match[2], 16)), parse_lsn(match[1]))
