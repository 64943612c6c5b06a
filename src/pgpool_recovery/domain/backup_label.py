"""What backup_label says of a base backup."""

import re

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.wal import Point, TimelineId, parse_lsn

START = re.compile(r"^START WAL LOCATION: (\S+) \(file ([0-9A-F]{8})[0-9A-F]{16}\)$", re.MULTILINE)


def parse_backup_label(text: str) -> Point:
    r"""Return from where recovery of the backup begins (src/backend/access/transam/xlogbackup.c).

    >>> parse_backup_label(
    ...     "START WAL LOCATION: 0/2000028 (file 000000030000000000000002)\n"
    ... )
    Point(timeline=3, lsn=33554472)
    """
    match = START.search(text)
    if match is None:
        raise Refused("backup_label does not say where the backup begins")
    return Point(TimelineId(int(match[2], 16)), parse_lsn(match[1]))
