"""libzstd by ctypes: against the program zstd, and with what no compressor writes."""

import os
import shutil
import subprocess

import pytest

from pgpool_recovery.domain.error import Undone
from pgpool_recovery.host import zstd
from pgpool_recovery.host.zstd import Decompressor, compress, decompress, is_available

TEXT = b"pages of a table " * 20_000


def whole(data: bytes, *, at_once: int = 2**16) -> bytes:
    decompressor = Decompressor()
    pieces = [
        piece
        for at in range(0, len(data), at_once)
        for piece in decompressor.feed(memoryview(data)[at : at + at_once])
    ]
    assert decompressor.has_ended
    decompressor.finish()
    return b"".join(pieces)


def program(*options: str, given: bytes) -> bytes:
    found = shutil.which("zstd")
    if found is None:
        pytest.skip("the program zstd is not installed")
    return subprocess.run([found, *options], input=given, capture_output=True, check=True).stdout


def test_it_reads_what_the_program_wrote() -> None:
    packed = program("-q", "-c", given=TEXT)  # Like the server, it does not record the size.
    assert whole(packed) == TEXT
    assert decompress(packed, len(TEXT)) == TEXT


def test_the_program_reads_what_it_wrote() -> None:
    assert program("-q", "-d", "-c", given=compress(TEXT, 1)) == TEXT


def test_pieces_are_bounded_however_well_it_was_compressed() -> None:
    decompressor = Decompressor(piece_bytes=1000)
    pieces = list(decompressor.feed(compress(bytes(2**20), 1)))
    assert max(map(len, pieces)) == 1000
    assert sum(map(len, pieces)) == 2**20


def test_nothing_is_held_back_until_more_is_fed() -> None:
    packed = compress(bytes(2**20), 1)[:-1]
    small, large = Decompressor(piece_bytes=1000), Decompressor(piece_bytes=2**21)
    assert b"".join(small.feed(packed)) == b"".join(large.feed(packed)) != b""


def test_a_frame_of_nothing_has_an_end() -> None:
    assert decompress(compress(b"", 1), 0) == b""
    assert whole(compress(b"", 1)) == b""


@pytest.mark.parametrize("cut", [0, 1, 5, 100])
def test_a_frame_that_was_cut_off_is_refused(cut: int) -> None:
    packed = compress(os.urandom(1000), 1)[:cut]
    decompressor = Decompressor()
    for _ in decompressor.feed(packed):
        pass
    assert not decompressor.has_ended
    with pytest.raises(Undone, match="malformed") as caught:
        decompressor.finish()
    assert caught.value.detail == "It was cut off."
    with pytest.raises(Undone):
        decompress(packed, 1000)


@pytest.mark.parametrize("more", [b"\0", b"garbage", compress(b"another frame", 1)])
def test_data_after_the_end_is_refused(more: bytes) -> None:
    with pytest.raises(Undone) as caught:
        whole(compress(TEXT, 1) + more)
    assert caught.value.detail == "There is data after its end."
    decompressor = Decompressor()
    assert b"".join(decompressor.feed(compress(TEXT, 1))) == TEXT
    with pytest.raises(Undone):
        list(decompressor.feed(more))


def test_data_that_is_no_frame_is_refused() -> None:
    for data in (b"This is no frame.", b"\x28\xb5\x2f\xfd" + b"\xff" * 40):
        with pytest.raises(Undone):
            whole(data)
        with pytest.raises(Undone):
            decompress(data, 2**20)


def test_contents_that_are_larger_than_allowed_are_refused() -> None:
    with pytest.raises(Undone):
        decompress(compress(TEXT, 1), len(TEXT) - 1)
    with pytest.raises(Undone):
        decompress(program("-q", "-c", given=TEXT), len(TEXT) - 1)


def test_a_frame_that_needs_too_much_memory_is_refused() -> None:
    packed = program("-q", "-c", "--long=27", given=os.urandom(2**16))
    with pytest.raises(Undone) as caught:
        whole(packed)
    assert "memory" in (caught.value.detail or "")


def test_a_host_without_the_library_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_available()
    monkeypatch.setattr(zstd, "LIBRARY", "libzstd-of-nobody.so.1")
    zstd._library.cache_clear()
    try:
        assert not is_available()
        for use in (lambda: compress(b"", 1), lambda: decompress(b"", 1), Decompressor):
            with pytest.raises(Undone, match="the library zstd is not installed"):
                use()
    finally:
        zstd._library.cache_clear()
