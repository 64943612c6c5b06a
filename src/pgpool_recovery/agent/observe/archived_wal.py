"""Fetch the WAL files of an archive that a plan puts into pg_wal, and look at what came."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgpool_recovery.agent.observe.restore_command import RestoreCommand, opened
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.wal import segment_of_file
from pgpool_recovery.domain.wal_page import LONG_HEADER_BYTES, read_head
from pgpool_recovery.facts.archived_wal import WAL_NAME, FetchedWal, FromArchive, WantedWal
from pgpool_recovery.facts.own_wal import Part
from pgpool_recovery.host.stop import Stop

READ_BYTES = 1 << 20
ROOM_FACTOR = 2
"""How many times the size of the files must be free where they are delivered."""


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
        if not is_segment(name, contents, len(contents), size):
            raise Undone(f"what {self._archive.origin} brought is not {name}")
        return contents


def is_segment(name: str, begin: bytes, size_bytes: int, segment_bytes: int) -> bool:
    """Return whether a file of this size that begins so is the WAL file of that name."""
    head = read_head(begin)
    address = segment_of_file(name, segment_bytes) * segment_bytes
    return head is not None and size_bytes == segment_bytes and head.address == address


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


def place_for(data: Path, size_bytes: int) -> Path:
    """Return the directory for temporary files, or that of the data if the former is too small."""
    usual = Path(tempfile.gettempdir())
    is_enough = has_room(usual, size_bytes)
    return data.parent if not is_enough and os.access(data.parent, os.W_OK) else usual


def has_room(place: Path, size_bytes: int) -> bool:
    """Return whether files of this size in all fit in a directory, and as much again."""
    return shutil.disk_usage(place).free >= ROOM_FACTOR * size_bytes


@contextmanager
def scratch(data: Path, size_bytes: int) -> Iterator[Path]:
    """Yield the path at which a command delivers a file; what is there goes at the end.

    `size_bytes` is that of all files that are delivered at the same time.
    It is in the directory for temporary files, or beside the data if that has too little room.
    """
    where = place_for(data, size_bytes)
    with tempfile.TemporaryDirectory(prefix="pgpool_recovery_", dir=where) as private:
        yield Path(private).resolve() / WAL_NAME


def look_at(wanted: WantedWal, place: Path) -> FetchedWal | None:
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
