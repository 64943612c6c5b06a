"""Read a file of a running server once, and leave the system's cache as it was.

All files together may be a hundred times larger than the memory, and what the server needs again
would make way for what nobody reads twice. So what was not in the cache is dropped from it after it
was read (POSIX_FADV_DONTNEED), and what was there stays: a read that does not wait
(RWF_NOWAIT) tells which is which. It must come before anything is read ahead, so that is done here,
one chunk ahead, instead of by the kernel.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

PIECE_BYTES = 1 << 17
"""A piece is dropped if its first page was not in the cache. Others of it may have been: the
server will find them again on its disk, once."""
CANNOT_TELL = frozenset({errno.EOPNOTSUPP, errno.EINVAL})


class Piece(NamedTuple):
    """A part of a chunk that was not in the cache, or only its beginning was.

    `begin` and `size` are those of what is missing, within the chunk. `is_dropped`: none of it was
    there.
    """

    begin: int
    size: int
    is_dropped: bool


def considerate_chunks(
    descriptor: int, size_bytes: int, buffers: Sequence[memoryview]
) -> Iterator[memoryview]:
    """Yield a file up to a length, or its end, in chunks of the size of two buffers.

    A chunk is overwritten when the one after the next is yielded.
    """
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)  # No reading ahead by the kernel.
    chunk_bytes, offset = len(buffers[0]), 0
    chunk = buffers[0][:size_bytes]
    missing = _begin(descriptor, chunk, 0)
    while len(chunk):
        turn = 1 + offset // chunk_bytes
        following = buffers[turn % 2][: max(0, size_bytes - turn * chunk_bytes)]
        missing_later = _begin(descriptor, following, turn * chunk_bytes)
        count = _complete(descriptor, chunk, offset, missing)
        if count:
            yield chunk[:count]
        for piece in missing:
            if piece.is_dropped:
                os.posix_fadvise(
                    descriptor, offset + piece.begin, piece.size, os.POSIX_FADV_DONTNEED
                )
        if count < len(chunk):
            return
        offset, chunk, missing = turn * chunk_bytes, following, missing_later


def _begin(descriptor: int, chunk: memoryview, offset: int) -> list[Piece]:
    """Take what is in the cache, and have the rest read ahead; return that."""
    missing, at = list[Piece](), 0
    while at < len(chunk):
        count = _take_cached(descriptor, chunk[at:], offset + at)
        begin = at + (count or 0)
        if count is None:  # This filesystem cannot tell; so nothing is dropped.
            end = len(chunk)
        else:
            end = min(len(chunk), (begin // PIECE_BYTES + 1) * PIECE_BYTES)
        if begin < end:
            is_dropped = count is not None and begin % PIECE_BYTES == 0
            missing.append(Piece(begin, end - begin, is_dropped))
        at = end
    for one in missing:
        os.posix_fadvise(descriptor, offset + one.begin, one.size, os.POSIX_FADV_WILLNEED)
    return missing


def _take_cached(descriptor: int, data: memoryview, offset: int) -> int | None:
    """Read up to the first page that is not in the cache; None if that cannot be told."""
    try:
        return os.preadv(descriptor, [data], offset, os.RWF_NOWAIT)
    except BlockingIOError:
        return 0
    except OSError as error:
        if error.errno not in CANNOT_TELL:
            raise
        return None


def _complete(descriptor: int, chunk: memoryview, offset: int, missing: Sequence[Piece]) -> int:
    """Read what is missing; return the length of the chunk, less at the end of the file."""
    for piece in missing:
        reached, end = piece.begin, piece.begin + piece.size
        while reached < end:
            count = os.preadv(descriptor, [chunk[reached:end]], offset + reached)
            if not count:
                return reached
            reached += count
    return len(chunk)
