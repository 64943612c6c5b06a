"""Write the changed blocks of a file into the old file (basebackup_incremental.c).

An incremental file is a header followed by blocks. The header consists of the magic number, the
number of blocks, the truncation block length, and the number of each block, all as 32-bit words in
the server's own byte order. It is padded with zeros to a whole block if there are any blocks.

Blocks below the truncation length that were not sent are unchanged. Blocks above it that were not
sent are zeros or do not exist: the file was truncated in between, so the old file is truncated to
that length before anything is written.
"""

import itertools
import os
import struct

from pgpool_recovery.agent.method.received_page import CheckPage
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.record import record
from pgpool_recovery.files.write import write_all_at

MAGIC = 0xD3AE1F0D
FIXED = struct.Struct("=III")
NUMBER_BYTES = 4
ODD = "an incremental file of the base backup is malformed"


@record
class Header:
    """The block numbers that follow, and the truncation length; both count within the segment."""

    blocks: tuple[int, ...]
    truncation_blocks: int

    @property
    def file_blocks(self) -> int:
        """The final length of the file, in blocks."""
        return max(self.truncation_blocks, self.blocks[-1] + 1 if self.blocks else 0)


def header_bytes(blocks: int, block_bytes: int) -> int:
    """Return the length of the header of a file with that many blocks, in bytes.

    >>> header_bytes(0, 8192), header_bytes(1, 8192), header_bytes(2046, 8192)
    (12, 8192, 16384)
    """
    used = FIXED.size + NUMBER_BYTES * blocks
    return used + (-used % block_bytes if blocks else 0)


def parse_header(data: bytes, segment_blocks: int) -> Header:
    """Return the header that these bytes begin with; raise ValueError when it cannot be one."""
    _, count, truncation_blocks = FIXED.unpack_from(data)
    blocks = struct.unpack_from(f"={count}I", data, FIXED.size)
    if any(one >= other for one, other in itertools.pairwise(blocks)):
        raise ValueError("its blocks are not in order")
    header = Header(blocks, truncation_blocks)
    if header.file_blocks > segment_blocks:
        raise ValueError(f"it goes past the end of a segment of {segment_blocks} blocks")
    return header


class ChangedBlocks:
    """Takes such a file in pieces, and writes its blocks into the old file (`Sink`).

    The old file is not emptied first. A run that is interrupted in the middle leaves each block
    either old or new, and the next run may keep or replace both kinds.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        size_bytes: int,
        block_bytes: int,
        segment_blocks: int,
        check_page: CheckPage | None,
    ) -> None:
        self._descriptor = descriptor
        self._size_bytes = size_bytes
        self._block_bytes = block_bytes
        self._segment_blocks = segment_blocks
        self._check_page = check_page
        self._pending = bytearray()
        self._header: Header | None = None
        self._done = 0

    @property
    def blocks_written(self) -> int:
        """How many blocks were written."""
        return self._done

    def write(self, data: memoryview) -> None:
        """Take the next piece."""
        if self._header is None or self._pending or len(data) % self._block_bytes:
            self._pending += data
            self._write_pending()
        else:
            self._write_blocks(data)

    def close(self) -> None:
        """Give the file its final length; raise Undone if a part of it is missing."""
        if self._header is None or self._pending or self._done < len(self._header.blocks):
            raise Undone("an incremental file of the base backup was cut off")
        os.ftruncate(self._descriptor, self._header.file_blocks * self._block_bytes)
        os.close(self._descriptor)

    def _write_pending(self) -> None:
        if self._header is None:
            self._begin()
        if self._header is not None:
            whole_bytes = len(self._pending) // self._block_bytes * self._block_bytes
            whole, self._pending = self._pending[:whole_bytes], self._pending[whole_bytes:]
            self._write_blocks(memoryview(whole))

    def _begin(self) -> None:
        """Process the header once it is complete, and truncate the old file."""
        if len(self._pending) < FIXED.size:
            return
        magic, count, truncation_blocks = FIXED.unpack_from(self._pending)
        length = header_bytes(count, self._block_bytes)
        if magic != MAGIC or self._size_bytes != length + count * self._block_bytes:
            raise Undone("an incremental file of the base backup has a header that does not fit")
        if max(count, truncation_blocks) > self._segment_blocks:
            # Checked before the rest of the header is collected, which could be gigabytes.
            limit = f"a segment of {self._segment_blocks} blocks"
            raise Undone(f"{ODD}: it goes past the end of {limit}")
        if len(self._pending) < length:
            return
        try:
            self._header = parse_header(bytes(self._pending[:length]), self._segment_blocks)
        except ValueError as error:
            raise Undone(f"{ODD}: {error}") from error
        del self._pending[:length]
        old_bytes = os.fstat(self._descriptor).st_size
        kept_bytes = self._header.truncation_blocks * self._block_bytes
        os.ftruncate(self._descriptor, min(old_bytes, kept_bytes))

    def _write_blocks(self, data: memoryview) -> None:
        assert self._header is not None  # noqa: S101 - it precedes all blocks
        size = self._block_bytes
        for at in range(0, len(data), size):
            block = self._header.blocks[self._done]
            page = data[at : at + size]
            if self._check_page is not None:
                self._check_page(page, block)
            write_all_at(self._descriptor, page, block * size)
            self._done += 1
