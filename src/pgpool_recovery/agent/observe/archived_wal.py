"""Fetch WAL files from an archive: for trial, before a plan relies on it, and the ones it puts."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgpool_recovery.agent.observe.restore_command import RestoreCommand, opened
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.wal import segment_of_file
from pgpool_recovery.domain.wal_page import LONG_HEADER_BYTES, read_head
from pgpool_recovery.facts.archived_wal import (
    WAL_NAME,
    FetchedWal,
    FromArchive,
    WalTrial,
    WantedWal,
)
from pgpool_recovery.facts.own_wal import Part
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.host import TryArchive

READ_BYTES = 1 << 20
ROOM_FACTOR = 2
"""How many segments must fit where files are tried."""


def try_archive(request: TryArchive, stop: Stop) -> WalTrial:
    """Return what a restore_command returns for WAL files, without changing the data directory."""
    data = Path(request.data_directory)
    calls = RestoreCommand(request.command, data, stop, timeout_s=request.timeout_s)
    found = tuple(_found(request, calls, data))
    return WalTrial(found, calls.longest_s, calls.is_silent)


def _found(request: TryArchive, calls: RestoreCommand, data: Path) -> Iterator[FetchedWal]:
    ends = None if request.within_s is None else time.monotonic() + request.within_s
    for wanted in request.wanted:
        found, number = None, 0
        while found is None and number < request.calls:
            number += 1
            left_s = request.timeout_s if ends is None else ends - time.monotonic()
            if left_s <= 0:
                return
            found = _fetched(request, wanted, calls, data, min(request.timeout_s, left_s))
            if calls.is_silent and left_s < request.timeout_s:
                return
        if found is None:
            yield FetchedWal(wanted.name, None, problem=calls.said)
            return
        yield found


def _fetched(
    request: TryArchive, wanted: WantedWal, calls: RestoreCommand, data: Path, timeout_s: float
) -> FetchedWal | None:
    size = request.segment_bytes
    with scratch(data, size) as place:
        is_given = calls.fetch(wanted.name, place, max_bytes=size, timeout_s=timeout_s)
        return _seen(wanted, place) if is_given else None


class ArchiveSource:
    """An archive as a source of files for pg_wal, by the command of a plan."""

    def __init__(self, archive: FromArchive, data: Path, segment_bytes: int, stop: Stop) -> None:
        self._archive = archive
        self._data = data
        self._segment_bytes = segment_bytes
        self._calls = RestoreCommand(archive.command, data, stop, timeout_s=archive.timeout_s)

    def segment(self, name: str) -> bytes:
        """Return a WAL file; raise Undone if the archive does not deliver it."""
        size = self._segment_bytes
        with scratch(self._data, size) as place:
            is_given = self._calls.fetch(name, place, max_bytes=size)
            contents = _whole(place) if is_given else None
        if contents is None:
            said = self._calls.said
            raise Undone(f"{self._archive.origin} did not bring {name}", detail=said)
        head = read_head(contents)
        begins = segment_of_file(name, size) * size
        if len(contents) != size or head is None or head.address != begins:
            raise Undone(f"what {self._archive.origin} brought is not {name}")
        return contents


def _whole(place: Path) -> bytes | None:
    try:
        with opened(place) as descriptor:
            return None if descriptor is None else _read(descriptor, os.fstat(descriptor).st_size)
    except OSError:
        return None


def _read(descriptor: int, size: int) -> bytes:
    found = bytearray()
    while len(found) < size and (data := os.pread(descriptor, READ_BYTES, len(found))):
        found += data
    return bytes(found)


@contextmanager
def scratch(data: Path, segment_bytes: int) -> Iterator[Path]:
    """Yield the path at which a command delivers a file; what is there goes at the end.

    It is in the directory for temporary files, or beside the data if that has too little room.
    """
    usual = Path(tempfile.gettempdir())
    is_small = shutil.disk_usage(usual).free < ROOM_FACTOR * segment_bytes
    where = data.parent if is_small and os.access(data.parent, os.W_OK) else usual
    with tempfile.TemporaryDirectory(prefix="pgpool_recovery_", dir=where) as private:
        yield Path(private).resolve() / WAL_NAME


def _seen(wanted: WantedWal, place: Path) -> FetchedWal | None:
    """Return what is in a file; None if there is none."""
    try:
        with opened(place) as descriptor:
            if descriptor is None:
                return None
            size = os.fstat(descriptor).st_size
            head = os.pread(descriptor, LONG_HEADER_BYTES, 0)
            digests = tuple(_digest(descriptor, part, size) for part in wanted.parts)
    except OSError:
        return None
    return FetchedWal(wanted.name, head.hex(), size, digests)


def _digest(descriptor: int, part: Part, size: int) -> str | None:
    """Return the SHA-256 of a part, in hexadecimal; None if the file ends before its end."""
    if part.offset + part.size_bytes > size:
        return None
    digest, at, end = hashlib.sha256(), part.offset, part.offset + part.size_bytes
    while at < end:
        data = os.pread(descriptor, min(READ_BYTES, end - at), at)
        if not data:
            return None
        digest.update(data)
        at += len(data)
    return digest.hexdigest()
