"""What of a primary's settings a standby has to reach, read from the bytes of its control file."""

import struct
from collections.abc import Mapping
from types import MappingProxyType

STANDBY_PARAMETERS = (
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
)
"""What must not be lower on a hot standby than on its primary (hot-standby.html).

In the order in which ControlFileData has them (src/include/catalog/pg_control.h).
"""
FLOAT_FORMAT = 1234567.0
"""FLOATFORMAT_VALUE: the same in all majors, so that it shows where the numbers before it are."""
MAX_ALIGNS = (4, 8)


def required_settings(contents: bytes) -> Mapping[str, int] | None:
    """Return what CheckRequiredParameterValues() compares a standby's own settings with.

    A standby writes them there when it replays a change of the primary's settings, just before it
    pauses because its own are too low. None when the bytes are not those of a control file.
    """
    for order in "<>":
        place = contents.find(struct.pack(f"{order}d", FLOAT_FORMAT))
        # Before it: five numbers, track_commit_timestamp with its padding, maxAlign.
        if place < 28:
            continue
        numbers = struct.unpack_from(f"{order}5i", contents, place - 28)
        (align,) = struct.unpack_from(f"{order}i", contents, place - 4)
        if align in MAX_ALIGNS and all(number >= 0 for number in numbers):
            return MappingProxyType(dict(zip(STANDBY_PARAMETERS, numbers, strict=True)))
    return None
