"""What was compressed comes back as it was, however it is cut; nothing else comes back at all."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from pgpool_recovery.domain.error import Undone
from pgpool_recovery.host.zstd import Decompressor, compress, decompress

contents = st.binary(max_size=3000) | st.builds(
    lambda piece, times: piece * times, st.binary(max_size=50), st.integers(0, 5000)
)


@given(contents, st.integers(1, 19), st.integers(1, 4000), st.integers(1, 5000))
def test_contents_come_back(data: bytes, level: int, at_once: int, piece_bytes: int) -> None:
    packed = compress(data, level)
    assert decompress(packed, len(data)) == data
    decompressor = Decompressor(piece_bytes)
    pieces = [
        piece
        for at in range(0, len(packed), at_once)
        for piece in decompressor.feed(packed[at : at + at_once])
    ]
    decompressor.finish()
    assert b"".join(pieces) == data
    assert all(0 < len(piece) <= piece_bytes for piece in pieces)


@given(st.binary(max_size=200), st.integers(0, 300))
def test_other_bytes_are_refused_or_within_the_limit(data: bytes, max_bytes: int) -> None:
    with suppress(Undone):
        assert len(decompress(data, max_bytes)) <= max_bytes
    with suppress(Undone):
        decompressor = Decompressor()
        for _ in decompressor.feed(data):
            pass
        decompressor.finish()
