"""A file is read as it is, and afterwards the cache has what it had before."""

import ctypes
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgpool_recovery.blocks.considerate import PIECE_BYTES, considerate_chunks

CHUNK_BYTES = 4 * PIECE_BYTES
SIZES = (0, 1, PIECE_BYTES, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7)


@pytest.fixture
def buffers() -> list[memoryview]:
    return [memoryview(bytearray(CHUNK_BYTES)) for _ in range(2)]


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def filled(descriptor: int, size_bytes: int) -> bytes:
    """Fill a file, which is not in the cache afterwards."""
    data = os.urandom(size_bytes)
    os.pwrite(descriptor, data, 0)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return data


def read(descriptor: int, size_bytes: int, buffers: list[memoryview]) -> bytes:
    return b"".join(bytes(chunk) for chunk in considerate_chunks(descriptor, size_bytes, buffers))


def cached(descriptor: int, pieces: int) -> list[int]:
    """Return the pieces of which a page is in the cache (mincore(2))."""
    libc, size = ctypes.CDLL(None), pieces * PIECE_BYTES
    libc.mmap.restype = ctypes.c_void_p
    address = ctypes.c_void_p(
        libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, ctypes.c_long(0))
    )
    pages = (ctypes.c_ubyte * (size // mmap.PAGESIZE))()
    assert libc.mincore(address, size, pages) == 0
    libc.munmap(address, size)
    in_piece = PIECE_BYTES // mmap.PAGESIZE
    return [
        number
        for number in range(pieces)
        if any(page & 1 for page in pages[number * in_piece : (number + 1) * in_piece])
    ]


@pytest.mark.parametrize("size_bytes", SIZES)
@pytest.mark.parametrize("is_warm", [False, True], ids=["not cached", "cached"])
def test_file_is_read_as_it_is(
    file: int,
    buffers: list[memoryview],
    size_bytes: int,
    is_warm: bool,  # noqa: FBT001 - pytest passes it
) -> None:
    data = filled(file, size_bytes)
    if is_warm:
        os.pread(file, size_bytes, 0)
    assert read(file, size_bytes, buffers) == data


@pytest.mark.parametrize("shorter", [0, 1, PIECE_BYTES + 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 3])
def test_file_that_was_shortened_ends_there(
    file: int, buffers: list[memoryview], shorter: int
) -> None:
    data = filled(file, 3 * CHUNK_BYTES)
    os.truncate(file, shorter)
    assert read(file, 3 * CHUNK_BYTES, buffers) == data[:shorter]


def test_cache_has_afterwards_what_it_had_before(file: int, buffers: list[memoryview]) -> None:
    filled(file, 3 * CHUNK_BYTES)
    if cached(file, 12):
        pytest.skip("this filesystem keeps everything in memory")
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
    for piece in (2, 3, 7):
        os.pread(file, PIECE_BYTES, piece * PIECE_BYTES)
    read(file, 3 * CHUNK_BYTES, buffers)
    assert cached(file, 12) == [2, 3, 7]


def test_filesystem_that_cannot_tell(
    file: int, buffers: list[memoryview], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, dropped, preadv = filled(file, CHUNK_BYTES + 5), list[int](), os.preadv

    def refuse(descriptor: int, into: list[memoryview], offset: int, flags: int = 0) -> int:
        if flags:
            raise OSError(95, "Operation not supported")
        return preadv(descriptor, into, offset)

    def note(_descriptor: int, _offset: int, _size: int, advice: int) -> None:
        dropped.append(advice)

    monkeypatch.setattr(os, "preadv", refuse)
    monkeypatch.setattr(os, "posix_fadvise", note)
    assert read(file, len(data), buffers) == data
    assert os.POSIX_FADV_DONTNEED not in dropped
