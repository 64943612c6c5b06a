"""The frames that sender and receiver of blocks exchange: what they hold, and their bytes.

A frame is one byte for its kind, the length of its body, and the body, in network byte order. Every
length has a limit, and anything that no frame of ours can be raises Undone.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from pgpool_recovery.domain.error import Undone
from pgpool_recovery.files.text import bytes_of, text_of

CHUNK_BYTES = 1 << 20
"""What is read, hashed and compared at once. It is a multiple of every block size of PostgreSQL."""
DIGEST_BYTES = 16
FILE_DIGEST_BYTES = 32
MAX_PATH_BYTES = 1024
MIN_BLOCK_BYTES = 1024  # --with-blocksize
MAX_BODY_BYTES = CHUNK_BYTES + 16 * 1024
"""The blocks of a whole chunk, and at the very most its runs."""

HEAD = struct.Struct("!cI")
INDEX = struct.Struct("!I")
NUMBER = struct.Struct("!IQ")
BLOCKS = struct.Struct("!IIIH")
RUN = struct.Struct("!HHB")


class Want(NamedTuple):
    """From the sender: it will compare the file at this path; `file` stands for it from now on."""

    file: int
    path: str


class Has(NamedTuple):
    """From the receiver: the length of its own file, 0 if there is none; digests follow."""

    file: int
    size_bytes: int


class Digests(NamedTuple):
    """From the receiver: the digests of the blocks of the next chunk of its own file."""

    file: int
    digests: bytes


class BlockRun(NamedTuple):
    """Adjacent blocks, numbered within their chunk; the blocks of zeros are not sent."""

    first: int
    blocks: int
    is_zero: bool


class Blocks(NamedTuple):
    """From the sender: the blocks of a chunk that differ, which begins with block `first`.

    `raw_bytes` is the length of the data when it is compressed, else 0.
    """

    file: int
    first: int
    raw_bytes: int
    runs: tuple[BlockRun, ...]
    data: bytes


class End(NamedTuple):
    """From the sender: the length of the file, and the digest of all that was sent for it."""

    file: int
    size_bytes: int
    digest: bytes


class Gone(NamedTuple):
    """From the sender: the file has vanished, so nothing is sent for it."""

    file: int


class FileDone(NamedTuple):
    """From the receiver: the file is like the sender's, and on disk."""

    file: int


class Failed(NamedTuple):
    """From the receiver: its last frame, with the record of its failure as JSON."""

    record: bytes


class Beat(NamedTuple):
    """From both: there is nothing to send, but we are alive."""


Frame = Want | Has | Digests | Blocks | End | Gone | FileDone | Failed | Beat

Encode = Callable[..., bytes]
Decode = Callable[[bytes], Frame]


def malformed(why: str) -> Undone:
    """Return the failure of a channel that carries what no sender or receiver of ours sends."""
    return Undone(
        "the channel between the hosts is damaged",
        detail=f"{why}.",
        hint="Recover the node again. If it happens again, check the network and the memory of "
        "both hosts.",
    )


def encode(frame: Frame) -> bytes:
    """Return the bytes of a frame.

    >>> encode(FileDone(7))
    b'A\\x00\\x00\\x00\\x04\\x00\\x00\\x00\\x07'
    """
    kind, body_of, _ = FORMATS[type(frame)]
    body = body_of(frame)
    return HEAD.pack(kind, len(body)) + body


class Decoder:
    """Takes bytes in pieces of any size, and returns whole frames."""

    def __init__(self) -> None:
        self._received = bytearray()

    @property
    def is_between_frames(self) -> bool:
        """Whether everything that was fed has been returned."""
        return not self._received

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        self._received += data

    def next(self) -> Frame | None:
        """Return the next frame, None if it is not complete yet; raise Undone for anything else."""
        if len(self._received) < HEAD.size:
            return None
        kind, length = HEAD.unpack_from(self._received)
        decode_body = BODIES.get(kind)
        if decode_body is None or length > MAX_BODY_BYTES:
            raise malformed(f"A frame has the kind {kind!r} and {length} bytes")
        end = HEAD.size + length
        if len(self._received) < end:
            return None
        with memoryview(self._received) as received:
            body = received[HEAD.size : end].tobytes()
        del self._received[:end]
        try:
            return decode_body(body)
        except (struct.error, ValueError) as error:
            raise malformed(f"A frame of kind {kind!r} has {length} bytes: {error}") from error


def _want(body: bytes) -> Want:
    (index,) = INDEX.unpack_from(body)
    path = body[INDEX.size :]
    if len(path) > MAX_PATH_BYTES:
        raise ValueError("the path is too long")
    return Want(index, text_of(path))


def _digests(body: bytes) -> Digests:
    (index,) = INDEX.unpack_from(body)
    return Digests(index, body[INDEX.size :])


def _blocks_body(frame: Blocks) -> bytes:
    head = BLOCKS.pack(frame.file, frame.first, frame.raw_bytes, len(frame.runs))
    return b"".join((head, *(RUN.pack(*run) for run in frame.runs), frame.data))


def _blocks(body: bytes) -> Blocks:
    index, first, raw_bytes, count = BLOCKS.unpack_from(body)
    begin = BLOCKS.size + count * RUN.size
    if begin > len(body):
        raise ValueError(f"it cannot have {count} runs")
    runs = tuple(_runs(body[BLOCKS.size : begin]))
    if raw_bytes > CHUNK_BYTES:
        raise ValueError(f"it is said to contain {raw_bytes} bytes")
    return Blocks(index, first, raw_bytes, runs, body[begin:])


def _runs(data: bytes) -> Iterator[BlockRun]:
    """Yield runs, which are in order and do not touch what another one has."""
    reached = 0
    for first, count, is_zero in RUN.iter_unpack(data):
        if first < reached or count == 0 or is_zero > 1:
            raise ValueError("its runs are not in order")
        reached = first + count
        yield BlockRun(first, count, bool(is_zero))
    if reached * MIN_BLOCK_BYTES > CHUNK_BYTES:
        raise ValueError("its runs go past the end of a chunk")


def _end(body: bytes) -> End:
    digest = body[NUMBER.size :]
    if len(digest) != FILE_DIGEST_BYTES:
        raise ValueError("its digest has another length")
    file, size_bytes = NUMBER.unpack_from(body)
    return End(file, size_bytes, digest)


def _beat(body: bytes) -> Beat:
    if body:
        raise ValueError("it must be empty")
    return Beat()


FORMATS: Mapping[type[Frame], tuple[bytes, Encode, Decode]] = {
    Want: (b"W", lambda frame: INDEX.pack(frame.file) + bytes_of(frame.path), _want),
    Has: (b"H", lambda frame: NUMBER.pack(*frame), lambda body: Has(*NUMBER.unpack(body))),
    Digests: (b"D", lambda frame: INDEX.pack(frame.file) + frame.digests, _digests),
    Blocks: (b"B", _blocks_body, _blocks),
    End: (b"E", lambda frame: NUMBER.pack(*frame[:2]) + frame.digest, _end),
    Gone: (b"G", lambda frame: INDEX.pack(*frame), lambda body: Gone(*INDEX.unpack(body))),
    FileDone: (b"A", lambda frame: INDEX.pack(*frame), lambda body: FileDone(*INDEX.unpack(body))),
    Failed: (b"X", lambda frame: frame.record, Failed),
    Beat: (b"K", lambda _: b"", _beat),
}
BODIES: Mapping[bytes, Decode] = {kind: decode for kind, _, decode in FORMATS.values()}
