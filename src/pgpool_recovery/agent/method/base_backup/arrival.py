"""Hash, write and sync the files of a base backup in threads, while the next pieces arrive.

One thread computes checksums and writes, in the order of arrival; a few more sync. So there is no
long sync at the end, and what waits in memory, in the page cache and in queues is bounded.

Pieces are copied once, into one of a few buffers that are used again and again: new memory for each
would have to be mapped and cleared by the kernel. Whoever needs one waits until one is free.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple, Protocol

from pgpool_recovery.agent.method.received_page import CheckPage, ReceivedPages
from pgpool_recovery.files.write import open_in_place, sync_written, write_all_at

BUFFER_BYTES = 2**19
"""Small pieces are passed to the thread together."""
BUFFERS = 16
SYNCED_BYTES = 2**26
"""A large file is synced after so many bytes each time, so that its last sync is short."""
SYNCS_AT_ONCE = 8
WAITING_SYNCS = 64
TICK_S = 0.2


class Checksum(Protocol):
    """A checksum that grows, as those of hashlib."""

    def update(self, data: memoryview, /) -> object:
        """Add the next piece."""

    def digest(self) -> bytes:
        """Return the checksum."""


class Arrived(NamedTuple):
    """What came of a file."""

    size_bytes: int
    checksum: bytes


@dataclass(eq=False)
class _File:
    """A file that is being written; only the writing thread uses it, except for its syncs."""

    path: str
    place: Path
    mode: int
    checksum: Checksum
    pages: ReceivedPages | None
    descriptor: int | None = None
    written_bytes: int = 0
    synced_bytes: int = 0
    syncs: "list[Future[None]]" = field(default_factory=list)


class _Batch(NamedTuple):
    file: _File
    buffer: memoryview
    size_bytes: int
    is_last: bool


class Arrivals:
    """Takes the files of a backup; `arrived` has what came, by the paths of a manifest.

    `new_checksum` begins the checksum of a file. `check` is called in every wait, and may raise.
    Whoever has opened all sinks calls `end_files` and then `finish`; `close` releases everything.
    """

    def __init__(self, new_checksum: Callable[[], Checksum], check: Callable[[], None]) -> None:
        self.arrived: dict[str, Arrived] = {}
        self._new_checksum = new_checksum
        self._check = check
        self._failure: BaseException | None = None
        self._open: set[_File] = set()
        self._batches: SimpleQueue[_Batch | None] = SimpleQueue()
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        for _ in range(BUFFERS):
            self._free.put(memoryview(bytearray(BUFFER_BYTES)))
        self._may_sync = threading.Semaphore(WAITING_SYNCS)
        self._syncs = ThreadPoolExecutor(SYNCS_AT_ONCE)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def sink_of(
        self,
        path: str,
        place: Path,
        mode: int,
        *,
        block_bytes: int = 0,
        check_page: CheckPage | None = None,
    ) -> "ArrivingFile":
        """Return the sink of a file; its checksum and size are in `arrived` once it is written."""
        pages = None if check_page is None else ReceivedPages(block_bytes, check_page)
        file = _File(path, place, mode, self._new_checksum(), pages)
        return ArrivingFile(self._free_buffer, self._batches.put, file)

    def end_files(self) -> None:
        """Wait until all files are written; raise what prevented that."""
        self._batches.put(None)
        while self._thread.is_alive():
            self._thread.join(TICK_S)
            self._see()
        self._see()

    def finish(self) -> None:
        """Wait until all files are synced; raise what prevented that."""
        for _ in range(WAITING_SYNCS):
            while not self._may_sync.acquire(timeout=TICK_S):
                self._see()
        self._see()

    def close(self) -> None:
        """End the threads, whatever they were doing, and close all files."""
        self._fail(ConnectionAbortedError())
        self._batches.put(None)
        self._thread.join()  # no limit: it only drops what still waits
        self._syncs.shutdown(cancel_futures=True)
        for file in self._open:
            if file.descriptor is not None:
                os.close(file.descriptor)
        self._open.clear()

    def _free_buffer(self) -> memoryview:
        while True:
            self._see()
            try:
                return self._free.get(timeout=TICK_S)
            except Empty:
                continue

    def _see(self) -> None:
        self._check()
        if self._failure is not None:
            raise self._failure

    def _fail(self, failure: BaseException) -> None:
        self._failure = self._failure or failure

    def _work(self) -> None:
        """Write what arrives; after a failure drop it, so that nobody waits for this thread."""
        # no limit: `end_files` and `close` end it
        while (batch := self._batches.get()) is not None:
            if self._failure is not None:
                continue
            try:
                self._write(batch.file, batch.buffer[: batch.size_bytes])
                if batch.is_last:
                    self._end(batch.file)
            except OSError as error:
                error.filename = error.filename or str(batch.file.place)
                self._fail(error)
            except BaseException as error:  # noqa: BLE001 - `_see` raises it in the other thread
                self._fail(error)
            self._free.put(batch.buffer)

    def _write(self, file: _File, data: memoryview) -> None:
        if file.descriptor is None:
            file.descriptor = open_in_place(file.place, made_with=file.mode)
            self._open.add(file)
            os.fchmod(file.descriptor, file.mode)  # The umask removed rights of the group.
        file.checksum.update(data)
        if file.pages is not None:
            file.pages.take(data)
        write_all_at(file.descriptor, data, file.written_bytes)
        file.written_bytes += len(data)
        if file.written_bytes - file.synced_bytes >= SYNCED_BYTES:
            file.synced_bytes = file.written_bytes
            self._sync_soon(file, is_last=False)

    def _end(self, file: _File) -> None:
        assert file.descriptor is not None  # noqa: S101 - its last batch was written
        os.ftruncate(file.descriptor, file.written_bytes)  # There may have been a longer one.
        self.arrived[file.path] = Arrived(file.written_bytes, file.checksum.digest())
        self._sync_soon(file, is_last=True)

    def _sync_soon(self, file: _File, *, is_last: bool) -> None:
        while not self._may_sync.acquire(timeout=TICK_S):
            if self._failure is not None:
                return
        try:
            earlier = tuple(file.syncs)
            file.syncs.append(self._syncs.submit(self._sync, file, earlier, is_last=is_last))
        except RuntimeError:  # It was closed meanwhile.
            self._may_sync.release()

    def _sync(self, file: _File, earlier: "tuple[Future[None], ...]", *, is_last: bool) -> None:
        assert file.descriptor is not None  # noqa: S101 - it was written
        try:
            sync_written(file.descriptor, file.place, is_whole=is_last)
            for sync in earlier:  # They began before this one, so they end.
                sync.result()  # no limit: the disk has the last word
            if is_last:
                self._open.discard(file)
                os.close(file.descriptor)
        except OSError as error:
            self._fail(error)
        finally:
            self._may_sync.release()


class ArrivingFile:
    """Takes a file in pieces (`Sink`)."""

    def __init__(
        self,
        free_buffer: Callable[[], memoryview],
        put: Callable[[_Batch], None],
        file: _File,
    ) -> None:
        self._free_buffer = free_buffer
        self._put = put
        self._file = file
        self._buffer = free_buffer()
        self._bytes = 0

    def write(self, data: memoryview) -> None:
        """Take the next piece."""
        while data:
            if self._bytes == BUFFER_BYTES:
                self._pass_on(is_last=False)
                self._buffer = self._free_buffer()
            end = min(self._bytes + len(data), BUFFER_BYTES)
            taken = end - self._bytes
            self._buffer[self._bytes : end] = data[:taken]
            self._bytes, data = end, data[taken:]

    def close(self) -> None:
        """Finish: all of the file was taken."""
        self._pass_on(is_last=True)

    def _pass_on(self, *, is_last: bool) -> None:
        self._put(_Batch(self._file, self._buffer, self._bytes, is_last))
        self._bytes = 0
