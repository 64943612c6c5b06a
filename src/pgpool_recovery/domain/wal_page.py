"""Read WAL pages: whose a segment is, and whether a server's WAL ends with a shutdown."""

import struct
from collections.abc import Iterator

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import Lsn, TimelineId

LONG_HEADER_BYTES, SHORT_HEADER_BYTES = 40, 24  # SizeOfXLogLongPHD, SizeOfXLogShortPHD
RECORD_HEADER_BYTES = 24  # SizeOfXLogRecord
MAX_CHECKPOINT_BYTES = 256
ALIGNMENT = 8
SHORT_DATA = 255  # XLR_BLOCK_ID_DATA_SHORT
CHECKPOINT_SHUTDOWN = 0x00  # XLOG_CHECKPOINT_SHUTDOWN of the resource manager XLOG (number 0).
OWN_BITS = 0xF0  # The bits of xl_info that belong to the resource manager (XLR_RMGR_INFO_MASK).
HAS_LONG_HEADER = 0x0002  # XLP_LONG_HEADER, set on the first page of each segment.
MAGICS = {14: 0xD10D, 15: 0xD110, 16: 0xD113, 17: 0xD116, 18: 0xD118, 19: 0xD122}
"""XLOG_PAGE_MAGIC of each major version (xlog_internal.h), as its server has written it
(tests/unit/programs/test_wal_header.py)."""
ANY_MAGIC, MAGIC_BITS = 0xD100, 0xFF00
"""What the magic numbers of all versions have in common."""


@record
class SegmentHead:
    """What the first page of a WAL file says about the file (XLogLongPageHeaderData)."""

    magic: int
    timeline: TimelineId
    address: Lsn
    system_identifier: str
    segment_bytes: int

    def is_of(self, major: int) -> bool:
        """Return whether a server of that major version wrote it, as far as that is known."""
        return self.magic == MAGICS.get(major, self.magic)


def read_head(first: bytes) -> SegmentHead | None:
    """Return the header at the beginning of a WAL file; None if it is none."""
    if len(first) < LONG_HEADER_BYTES:
        return None
    for order in "<>":
        magic, info, timeline, address, _, system, size, _ = struct.unpack_from(
            f"{order}HHIQI4xQII", first
        )
        if magic & MAGIC_BITS == ANY_MAGIC and info & HAS_LONG_HEADER:
            return SegmentHead(magic, TimelineId(timeline), Lsn(address), str(system), size)
    return None


@record
class WalPage:
    """A WAL page of a server, from its beginning up to a position on it or at its end."""

    begin: Lsn
    contents: bytes
    segment_bytes: int

    @property
    def end(self) -> Lsn:
        """The position after its last byte."""
        return Lsn(self.begin + len(self.contents))

    @property
    def header_bytes(self) -> int:
        """The size of its header, which is longer on the first page of a segment."""
        is_first = self.begin % self.segment_bytes == 0
        return LONG_HEADER_BYTES if is_first else SHORT_HEADER_BYTES

    @property
    def body(self) -> bytes:
        """Its records, without the header."""
        return self.contents[self.header_bytes :]

    def is_written(self, order: str) -> bool:
        """Return whether it was written for this position, and is not left in a recycled file."""
        if len(self.contents) < SHORT_HEADER_BYTES:
            return False
        return bool(struct.unpack_from(f"{order}Q", self.contents, 8)[0] == self.begin)


def page_begin(end: Lsn, page_bytes: int) -> Lsn:
    """Return where the page that has the byte before a position begins.

    >>> page_begin(Lsn(8192), 8192), page_begin(Lsn(8200), 8192)
    (0, 8192)
    """
    return Lsn((end - 1) // page_bytes * page_bytes)


def shutdown_at_the_end(before: WalPage | None, last: WalPage) -> Lsn | None:
    """Return where the shutdown checkpoint at the end of the WAL begins; None if there is none.

    A primary writes this record last, and nothing after it until it is started again
    (CreateCheckPoint() with CHECKPOINT_IS_SHUTDOWN in src/backend/access/transam/xlog.c). So a
    server that has the record has everything. Its redo pointer is its own position, which is true
    of no other record. `before` is the page before the last one, for a record that begins there.
    """
    for order in "<>":
        if last.is_written(order):
            return next(_shutdowns(before, last, order), None)
    return None


def _shutdowns(before: WalPage | None, last: WalPage, order: str) -> Iterator[Lsn]:
    earlier = b"" if before is None or not before.is_written(order) else before.body
    text = earlier + last.body
    for size in range(RECORD_HEADER_BYTES + ALIGNMENT, MAX_CHECKPOINT_BYTES, ALIGNMENT):
        if size > len(text):
            return
        begin = Lsn(last.end - size)
        if size > len(last.body):  # It begins on the page before, so the header is in between.
            begin = Lsn(begin - last.header_bytes)
        if _is_shutdown(text[-size:], begin, order):
            yield begin


def _is_shutdown(record: bytes, begin: Lsn, order: str) -> bool:
    (total,) = struct.unpack_from(f"{order}I", record)
    info, manager = record[16], record[17]
    kind, length = record[RECORD_HEADER_BYTES], record[RECORD_HEADER_BYTES + 1]
    if (info & OWN_BITS, manager, kind) != (CHECKPOINT_SHUTDOWN, 0, SHORT_DATA):
        return False
    is_whole = (
        total == RECORD_HEADER_BYTES + 2 + length
        and -(-total // ALIGNMENT) == len(record) // ALIGNMENT
    )
    if not is_whole or len(record) < RECORD_HEADER_BYTES + 2 + 8:
        return False
    (redo,) = struct.unpack_from(f"{order}Q", record, RECORD_HEADER_BYTES + 2)
    return bool(redo == begin)
