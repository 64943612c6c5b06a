"""Find the blocks in which two files differ, fast: whole chunks are compared first."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .page import BLOCK_BYTES

Segments = dict[int, Path]  # the files of a fork, by number

_CHUNK_BLOCKS = 128
_SEGMENT_BLOCKS = (1 << 30) // BLOCK_BYTES


def differing_blocks(here: Segments, there: Segments) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield the number and both contents of each block that differs; empty past the end of a file.

    A missing segment counts as empty. Each segment is compared with its counterpart, even after
    one that is not full, because PostgreSQL would read it again when the fork grows.
    """
    for segment in sorted(here.keys() | there.keys()):
        for number, left, right in _in_segment(here.get(segment), there.get(segment)):
            yield segment * _SEGMENT_BLOCKS + number, left, right


def _in_segment(here: Path | None, there: Path | None) -> Iterator[tuple[int, bytes, bytes]]:
    first = 0
    with _opened(here) as one, _opened(there) as other:
        while True:
            left, right = (file.read(_CHUNK_BLOCKS * BLOCK_BYTES) for file in (one, other))
            if not left and not right:
                return
            if left != right:
                yield from _in_chunk(first, left, right)
            first += _CHUNK_BLOCKS


def _in_chunk(first: int, left: bytes, right: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    for start in range(0, max(len(left), len(right)), BLOCK_BYTES):
        one, other = (chunk[start : start + BLOCK_BYTES] for chunk in (left, right))
        if one != other:
            yield first + start // BLOCK_BYTES, one, other


def _opened(file: Path | None) -> BinaryIO:
    return Path("/dev/null" if file is None else file).open("rb")
