"""Compute the checksum of a page, and check it (storage/checksum_impl.h).

The page is treated as a table of 32 columns of 32-bit words. Each column is hashed separately with
a variant of FNV-1a that also mixes in the high bits. The sums are XORed with each other and with
the block number.
"""

import struct
import sys

COLUMNS = 32
ROW_BYTES = 4 * COLUMNS
PRIME = 16777619
SHIFT = 17
LAST_ROUNDS = 2
CHECKSUM = slice(8, 10)  # pd_checksum in PageHeaderData
UPPER = slice(14, 16)  # pd_upper, which is 0 in a page that was never written to
START_SUMS = (
    *(0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2),
    *(0x83E13D2C, 0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C),
    *(0xF718902A, 0x0B1C9CDB, 0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979),
    *(0xCCA6C0B2, 0x304A0979, 0x85AA43D4, 0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E),
    *(0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756),
)
"""Part of the format."""


def _lanes(words: tuple[int, ...]) -> int:
    return int.from_bytes(struct.pack(f"={len(words)}Q", *words), sys.byteorder)


# All columns are summed at once, in two integers that have a lane of 64 bits for each column: the
# product of two words fits, and the mask cuts off what the shift brings in from the next lane. That
# reaches 100 MB/s, while one word after the other reaches 14 MB/s. Which columns are in the low
# halves of the lanes of a row depends on the byte order; the folded result does not.
WORDS = _lanes((0xFFFFFFFF,) * (COLUMNS // 2))
IS_LITTLE = sys.byteorder == "little"
LOW_SUMS = _lanes(START_SUMS[0 if IS_LITTLE else 1 :: 2])
HIGH_SUMS = _lanes(START_SUMS[1 if IS_LITTLE else 0 :: 2])


def checksum(page: bytes | memoryview, block: int) -> int:
    """Return the checksum of a page; `block` is its block number within the relation's fork."""
    low, high = LOW_SUMS, HIGH_SUMS
    data = bytearray(page)
    data[CHECKSUM] = b"\0\0"
    rows = [data[at : at + ROW_BYTES] for at in range(0, len(data), ROW_BYTES)]
    for row in [*rows, *[b""] * LAST_ROUNDS]:
        values = int.from_bytes(row, sys.byteorder)
        low ^= values & WORDS
        high ^= values >> 32 & WORDS
        low = (low * PRIME ^ low >> SHIFT) & WORDS
        high = (high * PRIME ^ high >> SHIFT) & WORDS
    folded = block
    for (lane,) in struct.iter_unpack("<Q", (low ^ high).to_bytes(4 * COLUMNS, "little")):
        folded ^= lane
    return folded % 65535 + 1


def is_sound(page: bytes | memoryview, block: int, start_lsn: int) -> bool:
    """Return whether a page in a base backup has the right checksum, or does not need one.

    A new page has no checksum. A page written after the start of the backup may be torn, because it
    was read while it was being written; the WAL has a full-page image from which replay restores
    it. The server skips both kinds, too, when it checks what it sends (verify_page_checksum).
    """
    if page[UPPER] == b"\0\0" or _lsn(page) >= start_lsn:
        return True
    (expected,) = struct.unpack("=H", page[CHECKSUM])
    return checksum(page, block) == int(expected)


def _lsn(page: bytes | memoryview) -> int:
    high, low = struct.unpack_from("=II", page)
    return int(high) << 32 | int(low)
