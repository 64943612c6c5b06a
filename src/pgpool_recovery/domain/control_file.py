"""Read a control file: whether it is whole, and which settings a standby must match."""

import struct
from collections.abc import Mapping
from types import MappingProxyType

CONTROL_FILE = "global/pg_control"
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


CASTAGNOLI = 0x82F63B78
"""The polynomial of CRC-32C, with its bits reversed (src/port/pg_crc32c_sb8.c)."""
AFTER_FLOAT_BYTES = range(64, 256, 4)
"""Where the checksum is, seen from that number: 80 bytes behind it up to 17, 84 in 18."""
ALL_BITS = 0xFFFFFFFF


def is_whole(contents: bytes) -> bool:
    """Return whether the checksum of a control file is right: it was not read while being written.

    The checksum is the last member of ControlFileData, and covers everything before it. The rest
    of the file is zeros (WriteControlFile in src/backend/access/transam/xlog.c). Where it is
    depends on the major version, so each place is tried that only zeros follow.
    """
    for order in "<>":
        place = contents.find(struct.pack(f"{order}d", FLOAT_FORMAT))
        if place < 0:
            continue
        for at in AFTER_FLOAT_BYTES:
            end = place + at
            if end + 4 <= len(contents) and not any(contents[end + 4 :]):
                (stored,) = struct.unpack_from(f"{order}I", contents, end)
                if stored == crc32c(contents[:end]):
                    return True
    return False


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of some bytes; it takes 0.1 µs for each.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    table = [_of_byte(byte) for byte in range(256)]
    crc = ALL_BITS
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ ALL_BITS


def _of_byte(crc: int) -> int:
    for _ in range(8):
        crc = crc >> 1 ^ (CASTAGNOLI if crc & 1 else 0)
    return crc
