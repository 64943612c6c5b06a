"""Read from the bytes of a control file which settings of the primary a standby must match."""

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
"""The settings that must not be lower on a hot standby than on its primary (hot-standby.html).

They are in the order of ControlFileData (src/include/catalog/pg_control.h).
"""
FLOAT_FORMAT = 1234567.0
"""FLOATFORMAT_VALUE: the same in all major versions, so it locates the numbers before it."""
MAX_ALIGNS = (4, 8)


def required_settings(contents: bytes) -> Mapping[str, int] | None:
    """Return the values that CheckRequiredParameterValues() compares a standby's settings with.

    A standby writes them to its control file when it replays a change of the primary's settings,
    just before it pauses because its own are too low. None when the bytes are not a control file.
    """
    for order in "<>":
        place = contents.find(struct.pack(f"{order}d", FLOAT_FORMAT))
        # It is preceded by five numbers, track_commit_timestamp with its padding, and maxAlign.
        if place < 28:
            continue
        numbers = struct.unpack_from(f"{order}5i", contents, place - 28)
        (align,) = struct.unpack_from(f"{order}i", contents, place - 4)
        if align in MAX_ALIGNS and all(number >= 0 for number in numbers):
            return MappingProxyType(dict(zip(STANDBY_PARAMETERS, numbers, strict=True)))
    return None
