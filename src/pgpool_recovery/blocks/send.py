"""The sending end: compare files with the digests that arrive, and send the blocks that differ."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from pgpool_recovery.blocks.digest import DigestsOf, SentDigest, differing, zero_digest_of
from pgpool_recovery.blocks.frame import (
    CHUNK_BYTES,
    DIGEST_BYTES,
    BlockRun,
    Blocks,
    Digests,
    End,
    Failed,
    FileDone,
    Gone,
    Has,
    Want,
    malformed,
)
from pgpool_recovery.blocks.link import FrameLink
from pgpool_recovery.blocks.source import SourceFiles
from pgpool_recovery.blocks.throttle import Throttle
from pgpool_recovery.domain.control_file import CONTROL_FILE
from pgpool_recovery.domain.error import RecoveryError, Undone, Unreachable, error_of_record
from pgpool_recovery.facts.blocks import SentBlocks
from pgpool_recovery.host import zstd
from pgpool_recovery.host.stop import Stop

WINDOW = 128
"""How many files the receiver is told of before it has finished the first of them."""
LEVEL = 1
SHRINKS_TO = 0.9
"""Data that compression does not make that much smaller is sent as it is."""

F = TypeVar("F", Has, Digests)
CheckPages = Callable[[str, int, memoryview], None]
"""Takes a path, the number of a block in that file, and some whole blocks of it."""


class _Counts:
    """What was done so far."""

    def __init__(self) -> None:
        self.read_bytes = self.blocks = self.files_whole = 0
        self.vanished: list[str] = []


class Sender:
    """Sends files to one receiver, one batch after the other."""

    def __init__(
        self,
        link: FrameLink,
        files: SourceFiles,
        block_bytes: int,
        stop: Stop,
        *,
        digests_of: DigestsOf,
        compresses: bool,
        check_pages: CheckPages | None = None,
    ) -> None:
        self._link = link
        self._files = files
        self._block_bytes = block_bytes
        self._chunk_blocks = CHUNK_BYTES // block_bytes
        self._zero = zero_digest_of(digests_of, block_bytes)
        self._stop = stop
        self._digests_of = digests_of
        self._compresses = compresses
        self._check_pages = check_pages
        self._next_index = 0
        self._unfinished: set[int] = set()

    def send(
        self,
        paths: Sequence[str],
        throttle: Throttle,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> SentBlocks:
        """Make the receiver's files like these; return when what it wrote is on its disk.

        `on_progress` gets the number of bytes read so far. After a failure nothing more can be
        sent.
        """
        if len(set(paths)) < len(paths):
            raise Undone("a file was to be sent twice at the same time")
        counts, began_bytes = _Counts(), self._link.sent_bytes
        try:
            for index, path in self._announced(paths):
                self._send_file(index, path, counts, throttle, on_progress)
            while self._unfinished:
                self._take(self._receive())
        except Unreachable as lost:
            raise self._last_word() or lost
        return SentBlocks(
            read_bytes=counts.read_bytes,
            sent_bytes=self._link.sent_bytes - began_bytes,
            blocks=counts.blocks,
            files_whole=counts.files_whole,
            vanished=tuple(counts.vanished),
        )

    def _announced(self, paths: Iterable[str]) -> Iterator[tuple[int, str]]:
        """Yield the files in order, while the receiver already hashes the following ones."""
        announced: deque[tuple[int, str]] = deque()
        for path in paths:
            while len(self._unfinished) >= WINDOW:
                if announced:
                    yield announced.popleft()
                else:  # All of them are only waiting for the receiver's disk.
                    self._take(self._receive())
            index, self._next_index = self._next_index, self._next_index + 1
            self._unfinished.add(index)
            self._link.send(Want(index, path))
            announced.append((index, path))
        yield from announced

    def _send_file(
        self,
        index: int,
        path: str,
        counts: _Counts,
        throttle: Throttle,
        on_progress: Callable[[int], None],
    ) -> None:
        has = self._expect(Has, index)
        sent, their_bytes, size_bytes, is_new = SentDigest(path), has.size_bytes, 0, True
        try:
            for data in self._contents(path):
                self._stop.check()
                size_bytes += len(data)
                counts.read_bytes += len(data)
                theirs = self._theirs(index, their_bytes)
                their_bytes = max(0, their_bytes - CHUNK_BYTES)
                is_new = is_new and not theirs
                first = (size_bytes - len(data)) // self._block_bytes
                counts.blocks += self._send_chunk(index, path, first, data, theirs, sent)
                on_progress(counts.read_bytes)
                throttle.took(len(data))
        except FileNotFoundError:
            counts.vanished.append(path)
            self._link.send(Gone(index))
            self._unfinished.discard(index)
        else:
            self._link.send(End(index, size_bytes, sent.of(size_bytes)))
            counts.files_whole += is_new and size_bytes > 0
        while their_bytes > 0:
            self._theirs(index, their_bytes)
            their_bytes -= CHUNK_BYTES

    def _contents(self, path: str) -> Iterator[memoryview]:
        if path == CONTROL_FILE:
            return iter([memoryview(self._files.control_file(self._stop))])
        return self._files.chunks(path)

    def _send_chunk(
        self, index: int, path: str, first: int, data: memoryview, theirs: bytes, sent: SentDigest
    ) -> int:
        """Send the blocks of a chunk that differ; return how many they are."""
        ours = self._digests_of(data, self._block_bytes)
        if ours == theirs:
            return 0
        runs = tuple(differing(ours, theirs, self._zero))
        if not runs:  # Only their file goes on.
            return 0
        digests = list[bytes]()
        parts = list[memoryview]()
        for run in runs:
            if not run.is_zero:
                parts.append(self._blocks_of(path, first, run, data))
                end = run.first + run.blocks
                digests.append(ours[run.first * DIGEST_BYTES : end * DIGEST_BYTES])
        sent.add(first, runs, b"".join(digests))
        self._link.send(self._packed(index, first, runs, b"".join(parts)))
        return sum(run.blocks for run in runs)

    def _blocks_of(self, path: str, first: int, run: BlockRun, data: memoryview) -> memoryview:
        end = run.first + run.blocks
        blocks = data[run.first * self._block_bytes : end * self._block_bytes]
        if self._check_pages is not None:
            self._check_pages(path, first + run.first, blocks)
        return blocks

    def _packed(self, index: int, first: int, runs: tuple[BlockRun, ...], data: bytes) -> Blocks:
        if self._compresses and data:
            packed = zstd.compress(data, LEVEL)
            if len(packed) < SHRINKS_TO * len(data):
                return Blocks(index, first, len(data), runs, packed)
        return Blocks(index, first, 0, runs, data)

    def _theirs(self, index: int, their_bytes: int) -> bytes:
        """Return the receiver's digests of the next chunk, of a file with so many bytes left."""
        if their_bytes <= 0:
            return b""
        digests = self._expect(Digests, index).digests
        count = -(-min(their_bytes, CHUNK_BYTES) // self._block_bytes)
        if len(digests) != count * DIGEST_BYTES:
            raise malformed(f"The receiver has sent {len(digests)} bytes of {count} digests")
        return digests

    def _expect(self, kind: type[F], index: int) -> F:
        while True:
            frame = self._receive()
            if isinstance(frame, kind) and frame.file == index:
                return frame
            self._take(frame)

    def _last_word(self) -> RecoveryError | None:
        """Return why the receiver has ended, if it could still say that."""
        try:
            while (frame := self._link.receive(flushes=True)) is not None:
                if isinstance(frame, Failed):
                    return _failure_of(frame.record)
        except RecoveryError:
            return None
        return None

    def _receive(self) -> object:
        frame = self._link.receive(flushes=True)
        if frame is None:
            raise Unreachable("the receiver on the target has ended")
        return frame

    def _take(self, frame: object) -> None:
        """Take what is no digest: a file that is finished, or a failure, which is raised."""
        match frame:
            case FileDone(index) if index in self._unfinished:
                self._unfinished.discard(index)
            case Failed(text):
                raise _failure_of(text)
            case _:
                raise malformed(f"The receiver has sent an unexpected {type(frame).__name__}")


def _failure_of(text: bytes) -> RecoveryError:
    try:
        return error_of_record(json.loads(text))
    except (ValueError, LookupError, TypeError) as error:
        raise malformed("The receiver's failure cannot be read") from error
