"""The receiving end: send the digests of the files that are here, and write the blocks that come.

Three kinds of threads work at once. One hashes, and is the only one that sends; one receives and
writes; some sync files to disk. The one that receives waits for nobody but the disk, whatever
happens to the others, so the two ends never wait for each other.

There is no state but the bytes of the files. Wherever this ends, another comparison repairs it.
"""

import json
import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from pgpool_recovery.blocks.digest import DigestsOf, SentDigest
from pgpool_recovery.blocks.frame import (
    CHUNK_BYTES,
    DIGEST_BYTES,
    Blocks,
    Digests,
    End,
    Failed,
    FileDone,
    Frame,
    Gone,
    Has,
    Want,
    malformed,
)
from pgpool_recovery.blocks.link import TICK_S, FrameLink
from pgpool_recovery.blocks.target import TargetFiles
from pgpool_recovery.domain.bug import kind_of
from pgpool_recovery.domain.control_file import CONTROL_FILE, is_whole
from pgpool_recovery.domain.error import RecoveryError, Undone, as_failure
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.blocks import BlockTarget
from pgpool_recovery.files.write import sync_opened, write_all_at
from pgpool_recovery.host import zstd
from pgpool_recovery.host.system_failure import failure_of_system

MAX_WANTED = 1024
"""More files than a sender announces at once."""
SYNC_THREADS = 4
UNSYNCED_FILES = 64
"""How many written files may wait for the disk; then the writing waits for it, too."""
ENDS_WITHIN_S = 2.0
ZEROS = bytes(1 << 16)


class _Written(NamedTuple):
    """A file that has its contents, and is synced next."""

    file: int
    path: str
    descriptor: int


class _Old(NamedTuple):
    """A file as it was when it was hashed; one that `can_stay` lacks nothing but contents."""

    size_bytes: int
    can_stay: bool


class Growing:
    """A file that is being received."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.descriptor: int | None = None
        self.sent = SentDigest(path)
        self.first = -1
        """Where the last chunk of which blocks came begins."""
        self.reached_bytes = 0
        """Up to where its blocks were written."""


class Receiver:
    """Receives files until the sender ends the link."""

    def __init__(self, link: FrameLink, target: BlockTarget, digests_of: DigestsOf) -> None:
        self._link = link
        self._digests_of = digests_of
        self._target = target
        self._block_bytes = target.format.block_bytes
        self._chunk_blocks = CHUNK_BYTES // self._block_bytes
        self._files = TargetFiles(target)
        self._growing: dict[int, Growing] = {}
        self._old: dict[int, _Old] = {}
        self._wanted: queue.SimpleQueue[Want | None] = queue.SimpleQueue()
        self._done: deque[int] = deque()
        self._written: queue.Queue[_Written | None] = queue.Queue(UNSYNCED_FILES)
        self._failure: RecoveryError | None = None
        self._has_ended = threading.Event()
        self._hasher = threading.Thread(target=self._hash_and_tell, daemon=True)
        self._syncers = [
            threading.Thread(target=self._guarded, args=(self._sync,), daemon=True)
            for _ in range(SYNC_THREADS)
        ]

    def run(self) -> None:
        """Receive until the end of the link; raise what ended it earlier.

        The sender was told of that, if it can be reached.
        """
        for thread in (self._hasher, *self._syncers):
            thread.start()
        try:
            self._guarded(self._receive)
            if self._failure is not None:
                self._drain()
                raise self._failure
        finally:
            self._has_ended.set()
            self._link.end()
            self._wake()
            for thread in (self._hasher, *self._syncers):
                thread.join(ENDS_WITHIN_S)
            self._close()

    def _wake(self) -> None:
        """Wake the threads that wait for work; where a queue is full, none does."""
        self._wanted.put(None)
        for _ in self._syncers:
            with suppress(queue.Full):
                self._written.put_nowait(None)

    def _close(self) -> None:
        for growing in self._growing.values():
            if growing.descriptor is not None:
                os.close(growing.descriptor)
        while not self._written.empty():
            written = self._written.get_nowait()
            if written is not None:
                os.close(written.descriptor)
        self._files.close()

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do the work of a thread; note the first failure, upon which all end."""
        try:
            work()
        except RecoveryError as error:
            failure = error
        except OSError as error:
            failure = failure_of_system(error)
        except Exception as error:  # noqa: BLE001 - a bug is told to the sender, too
            failure = as_failure(error, TargetState.UNTOUCHED, f"the receiver ({kind_of(error)})")
        else:
            return
        self._failure = self._failure or failure
        self._wanted.put(None)

    def _drain(self) -> None:
        """Receive without writing, so the sender takes the failure instead of waiting for us."""
        self._hasher.join(ENDS_WITHIN_S)
        try:
            while self._link.receive(flushes=False) is not None:
                pass
        except (RecoveryError, OSError):
            return

    # What the thread does that receives.

    def _receive(self) -> None:
        while self._failure is None:
            frame = self._link.receive(flushes=False)
            if frame is None:
                return
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        match frame:
            case Want(index, path):
                self._want(index, path)
            case Blocks(index):
                self._write(self._one(index), frame)
            case End(index):
                self._finish(self._one(index), frame)
            case Gone(index):
                growing = self._one(index)
                del self._growing[index]
                if growing.descriptor is not None:
                    os.close(growing.descriptor)
            case _:
                raise malformed(f"The sender has sent an unexpected {type(frame).__name__}")

    def _want(self, index: int, path: str) -> None:
        if index in self._growing or len(self._growing) >= MAX_WANTED:
            raise malformed(f"The sender wants {len(self._growing)} files at once, or one twice")
        self._files.shown(path)  # A path that is not accepted ends it here.
        self._growing[index] = Growing(path)
        self._wanted.put(Want(index, path))

    def _one(self, index: int) -> Growing:
        growing = self._growing.get(index)
        if growing is None:
            raise malformed("The sender has sent blocks of a file that it had not announced")
        return growing

    def _opened(self, growing: Growing) -> int:
        if growing.descriptor is None:
            growing.descriptor = self._files.open_for_writing(growing.path)
        return growing.descriptor

    def _write(self, growing: Growing, blocks: Blocks) -> None:
        """Write the blocks of a chunk."""
        size = self._block_bytes
        if blocks.first <= growing.first or blocks.first % self._chunk_blocks:
            raise malformed("The sender has sent chunks out of order")
        growing.first = blocks.first
        unpacked = self._unpacked(blocks)
        data = memoryview(unpacked)
        descriptor = self._opened(growing)
        try:
            for run in blocks.runs:
                if run.first + run.blocks > self._chunk_blocks:
                    raise malformed("The sender has sent blocks past the end of a chunk")
                offset = (blocks.first + run.first) * size
                if run.is_zero:
                    _write_zeros(descriptor, offset, run.blocks * size)
                    growing.reached_bytes = offset + run.blocks * size
                    continue
                piece, data = data[: run.blocks * size], data[run.blocks * size :]
                if len(piece) <= (run.blocks - 1) * size:
                    raise malformed("The sender has sent fewer blocks than it says")
                write_all_at(descriptor, piece, offset)
                growing.reached_bytes = offset + len(piece)
        except OSError as error:
            error.filename = str(self._files.shown(growing.path))
            raise
        if data:
            raise malformed("The sender has sent more blocks than it says")
        growing.sent.add(blocks.first, blocks.runs, self._digests_of(unpacked, size))

    def _unpacked(self, blocks: Blocks) -> bytes:
        if not blocks.raw_bytes:
            return blocks.data
        data = zstd.decompress(blocks.data, blocks.raw_bytes)
        if len(data) != blocks.raw_bytes:
            raise malformed("The sender has sent blocks of another length than it says")
        return data

    def _finish(self, growing: Growing, end: End) -> None:
        """Give a file its length, and have it synced; one that has not changed is left alone."""
        if growing.sent.of(end.size_bytes) != end.digest:
            raise Undone(
                f'the blocks of "{growing.path}" have arrived damaged',
                hint="Check the network and the memory of both hosts, then recover the node again.",
            )
        old = self._old.pop(end.file, None)
        if old is None or end.size_bytes > max(old.size_bytes, growing.reached_bytes):
            raise malformed("The sender has ended a file of which blocks are missing")
        is_the_same = growing.descriptor is None and end.size_bytes == old.size_bytes
        if is_the_same and old.can_stay and growing.path != CONTROL_FILE:
            del self._growing[end.file]
            self._tell(end.file)
            return
        descriptor = self._opened(growing)
        try:
            os.ftruncate(descriptor, end.size_bytes)
        except OSError as error:
            error.filename = str(self._files.shown(growing.path))
            raise
        del self._growing[end.file]
        self._put(_Written(end.file, growing.path, descriptor))

    def _tell(self, file: int) -> None:
        """Have the sender told that a file is done."""
        self._done.append(file)
        self._wanted.put(None)

    def _put(self, written: _Written) -> None:
        while self._failure is None:
            try:
                self._written.put(written, timeout=TICK_S)
            except queue.Full:
                continue
            return
        os.close(written.descriptor)

    # What the threads do that sync.

    def _sync(self) -> None:
        while self._failure is None and not self._has_ended.is_set():
            try:
                written = self._written.get(timeout=TICK_S)
            except queue.Empty:
                continue
            if written is None:
                continue
            try:
                if written.path == CONTROL_FILE:
                    self._check_control_file()
                sync_opened(written.descriptor)
            except OSError as error:
                error.filename = error.filename or self._target.data_directory + "/" + written.path
                raise
            finally:
                os.close(written.descriptor)
            self._tell(written.file)

    def _check_control_file(self) -> None:
        files = TargetFiles(self._target)
        try:
            descriptor = files.open_for_reading(CONTROL_FILE)
            if descriptor is not None:
                try:
                    if is_whole(os.pread(descriptor, CHUNK_BYTES, 0)):
                        return
                finally:
                    os.close(descriptor)
        finally:
            files.close()
        raise Undone("the control file has arrived with a wrong checksum")

    # What the thread does that hashes.

    def _hash_and_tell(self) -> None:
        """Hash until a failure, then tell the sender of it."""
        self._guarded(self._hash)
        if self._failure is not None:
            with suppress(RecoveryError, OSError):
                self._link.send(Failed(json.dumps(self._failure.as_record()).encode()))
                self._link.flush()

    def _hash(self) -> None:
        files, buffer = TargetFiles(self._target), memoryview(bytearray(CHUNK_BYTES))
        try:
            while self._failure is None and not self._has_ended.is_set():
                try:
                    wanted = self._wanted.get_nowait()
                except queue.Empty:
                    self._link.flush()
                    try:
                        wanted = self._wanted.get(timeout=TICK_S)
                    except queue.Empty:
                        continue
                self._tell_done()
                if wanted is not None:
                    self._hash_file(files, wanted, buffer)
        finally:
            files.close()

    def _tell_done(self) -> None:
        while self._done:
            self._link.send(FileDone(self._done.popleft()))

    def _hash_file(self, files: TargetFiles, wanted: Want, buffer: memoryview) -> None:
        descriptor = files.open_for_reading(wanted.path)
        if descriptor is None:
            self._old[wanted.file] = _Old(0, can_stay=False)
            self._link.send(Has(wanted.file, 0))
            return
        status = os.fstat(descriptor)
        size_bytes = status.st_size
        self._old[wanted.file] = _Old(size_bytes, files.have_mode_of(status))
        self._link.send(Has(wanted.file, size_bytes))
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
            for offset in range(0, size_bytes, CHUNK_BYTES):
                if self._failure is not None or self._has_ended.is_set():
                    return
                self._tell_done()
                data = buffer[: size_bytes - offset]
                self._link.send(Digests(wanted.file, self._digests(descriptor, data, offset)))
        except OSError as error:
            error.filename = error.filename or str(files.shown(wanted.path))
            raise
        finally:
            os.close(descriptor)

    def _digests(self, descriptor: int, data: memoryview, offset: int) -> bytes:
        """Return the digests of a chunk; what cannot be read has one that no block has."""
        reached = 0
        while reached < len(data):
            count = os.preadv(descriptor, [data[reached:]], offset + reached)
            if not count:
                break
            reached += count
        wanted = -(-len(data) // self._block_bytes) * DIGEST_BYTES
        return self._digests_of(data[:reached], self._block_bytes).ljust(wanted, b"\0")


def _write_zeros(descriptor: int, offset: int, count: int) -> None:
    """Write zeros, not a hole: the server counts on the space that its file has."""
    end = offset + count
    while offset < end:
        offset += os.pwrite(descriptor, ZEROS[: end - offset], offset)
