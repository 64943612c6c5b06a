"""Frames survive the way in pieces of any size, and nothing else is taken for one."""

import struct

import pytest

from pgpool_recovery.blocks.frame import (
    CHUNK_BYTES,
    HEAD,
    MAX_BODY_BYTES,
    Beat,
    BlockRun,
    Blocks,
    Decoder,
    Digests,
    End,
    Failed,
    FileDone,
    Frame,
    Gone,
    Has,
    Want,
    encode,
)
from pgpool_recovery.domain.error import Undone

FRAMES: tuple[Frame, ...] = (
    Want(7, "base/5/1259"),
    Want(8, "pg_stat/r\udce9plica"),
    Has(7, 2**40),
    Digests(7, b"d" * 32),
    Blocks(7, 1024, 0, (BlockRun(0, 2, False), BlockRun(5, 1, True)), b"two blocks"),  # noqa: FBT003
    Blocks(7, 1024, 4096, (BlockRun(0, 4, False),), b"packed"),  # noqa: FBT003
    End(7, 2**33, b"e" * 32),
    Gone(7),
    FileDone(7),
    Failed(b"{}"),
    Beat(),
)


@pytest.mark.parametrize("piece_bytes", [1, 7, 10_000])
def test_frames_come_out_as_they_went_in(piece_bytes: int) -> None:
    data, decoder, found = b"".join(map(encode, FRAMES)), Decoder(), list[Frame]()
    for at in range(0, len(data), piece_bytes):
        decoder.feed(data[at : at + piece_bytes])
        while (frame := decoder.next()) is not None:
            found.append(frame)
    assert tuple(found) == FRAMES
    assert decoder.is_between_frames


def runs(*numbers: tuple[int, int, int]) -> bytes:
    body = struct.pack("!IIIH", 7, 0, 0, len(numbers))
    return body + b"".join(struct.pack("!HHB", *run) for run in numbers)


GARBAGE = {
    "a login's banner": b"Welcome to db1\n",
    "another kind": HEAD.pack(b"Q", 0),
    "a huge frame": HEAD.pack(b"B", MAX_BODY_BYTES + 1),
    "the largest number": HEAD.pack(b"B", 2**32 - 1),
    "a number cut off": HEAD.pack(b"A", 2) + b"\0\0",
    "a number too long": HEAD.pack(b"A", 8) + bytes(8),
    "a path too long": HEAD.pack(b"W", 2004) + bytes(4) + b"a" * 2000,
    "more runs than bytes": HEAD.pack(b"B", 14) + struct.pack("!IIIH", 7, 0, 0, 9),
    "an empty run": HEAD.pack(b"B", 19) + runs((0, 0, 0)),
    "runs out of order": HEAD.pack(b"B", 24) + runs((4, 2, 0), (3, 1, 0)),
    "runs that overlap": HEAD.pack(b"B", 24) + runs((0, 2, 0), (1, 1, 0)),
    "a run past a chunk": HEAD.pack(b"B", 19) + runs((1024, 1, 0)),
    "a run of another kind": HEAD.pack(b"B", 19) + runs((0, 1, 2)),
    "a bomb": HEAD.pack(b"B", 14) + struct.pack("!IIIH", 7, 0, CHUNK_BYTES + 1, 0),
    "half a digest": HEAD.pack(b"E", 28) + bytes(28),
    "a beat that says something": HEAD.pack(b"K", 1) + b"x",
}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_is_refused(what: str) -> None:
    decoder = Decoder()
    decoder.feed(GARBAGE[what])
    with pytest.raises(Undone, match="channel between the hosts is damaged"):
        decoder.next()
