"""Read the files of a running server: through no link but those of its tablespaces."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pgpool_recovery.blocks.considerate import considerate_chunks
from pgpool_recovery.blocks.frame import CHUNK_BYTES
from pgpool_recovery.blocks.path import parts_of, tablespace_of
from pgpool_recovery.domain.control_file import CONTROL_FILE, is_whole
from pgpool_recovery.domain.data_directory import EMPTIED, LINKS, REPLACED
from pgpool_recovery.domain.error import Refused, Undone
from pgpool_recovery.domain.sent_file import sent_of
from pgpool_recovery.facts.blocks import BlockSource
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.host.version_file import VERSION_FILE
from pgpool_recovery.log.note import waits

CONTROL_TRIES, BETWEEN_S = 50, 0.1
"""A control file is written at once, and read torn only in the instant in which it is."""
MAX_CONTROL_BYTES = 65536
GONE = frozenset({errno.ENOENT, errno.ENOTDIR})


class SourceFiles:
    """The files of one server, by their paths relative to its data directory."""

    def __init__(self, source: BlockSource) -> None:
        self._data = Path(source.data_directory)
        self._source = source
        self._buffers = tuple(memoryview(bytearray(CHUNK_BYTES)) for _ in range(2))

    def place(self, path: str) -> Path:
        """Return where a file is."""
        oid = tablespace_of(parts_of(path), is_whole=self._source.is_whole)
        if oid is not None and oid not in self._source.tablespaces:
            raise Undone(f'the source has no tablespace {oid}, which "{path}" is in')
        return self._data / path

    def entries(self, after: str | None) -> Iterator[tuple[str, int | None]]:
        """Yield what a base backup has, and the sizes of files; None is that of a directory.

        The order is that of `order`, and everything up to `after` is left out.
        """
        begin = None if after is None else order(after)
        tops = [*REPLACED, *(f"{LINKS}/{oid}" for oid in self._tablespaces())]
        others = self._others() if self._source.is_whole else [VERSION_FILE]
        for top in sorted((*tops, *others), key=order):
            if top in others:
                yield from self._entry(top, begin)
            elif top in REPLACED:
                yield from self._directory(top, begin)
            else:
                version = self._source.format.version_directory
                yield from self._directory(f"{top}/{version}", begin)

    def _others(self) -> list[str]:
        """Return what else a base backup has: the configuration, and whatever is kept beside it."""
        names = (entry.name for entry in self._data.iterdir())
        known = {*REPLACED, *EMPTIED, LINKS}
        return [name for name in sent_of("", names) if name not in known]

    def _tablespaces(self) -> Iterator[int]:
        """Yield the OIDs of the tablespaces; raise Refused for one that came after the plan."""
        for entry in (self._data / LINKS).iterdir():
            name = entry.name
            if name.isdigit():
                if int(name) not in self._source.tablespaces:
                    raise Refused(
                        f"tablespace {name} of the primary has no place on the target",
                        detail="It was created after the recovery was planned.",
                        hint="Recover the node again.",
                    )
                yield int(name)

    def _directory(
        self, path: str, begin: tuple[str, ...] | None
    ) -> Iterator[tuple[str, int | None]]:
        """Yield a directory and everything below it, as sendDir() of basebackup.c chooses it."""
        try:
            names = sorted(entry.name for entry in (self._data / path).iterdir())
        except OSError as error:
            if error.errno in GONE:
                return
            raise
        if begin is None or order(path) > begin:
            yield path, None
        for name in sent_of(path, names):
            yield from self._entry(f"{path}/{name}", begin)

    def _entry(self, path: str, begin: tuple[str, ...] | None) -> Iterator[tuple[str, int | None]]:
        if begin is not None and order(path) < begin[: path.count("/") + 1]:
            return
        status = self._status(path)
        if status is None:
            return
        if stat.S_ISDIR(status.st_mode):
            yield from self._directory(path, begin)
        elif stat.S_ISREG(status.st_mode) and (begin is None or order(path) > begin):
            yield path, status.st_size

    def _status(self, path: str) -> os.stat_result | None:
        try:
            return (self._data / path).lstat()
        except OSError as error:
            if error.errno in GONE:
                return None
            raise

    def chunks(self, path: str) -> Iterator[memoryview]:
        """Yield the contents of a file in chunks, each of which is overwritten by the next one.

        The file is read up to the length that it has when it is opened. A server may shorten it
        meanwhile, and what it appends is in the WAL. Raises FileNotFoundError if it is gone; any
        other OSError names the file.
        """
        place = self.place(path)
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except NotADirectoryError as error:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(place)) from error
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise FileNotFoundError(errno.ENOENT, "it is not a regular file", str(place))
            yield from considerate_chunks(descriptor, status.st_size, self._buffers)
        except OSError as error:
            error.filename = error.filename or str(place)
            raise
        finally:
            os.close(descriptor)

    def reread(self, path: str, offset: int, count: int) -> bytes:
        """Return a part of a file again; it may be shorter now."""
        place = self.place(path)
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return os.pread(descriptor, count, offset)
        except OSError as error:
            error.filename = str(place)
            raise
        finally:
            os.close(descriptor)

    @waits("a control file that is not being written")
    def control_file(self, stop: Stop) -> bytes:
        """Return the control file; read it again as long as its checksum is wrong."""
        for _ in range(CONTROL_TRIES):
            contents = self.reread(CONTROL_FILE, 0, MAX_CONTROL_BYTES)
            if is_whole(contents):
                return contents
            stop.wait(BETWEEN_S)
        raise Undone(
            f"{self._data / CONTROL_FILE} has a wrong checksum",
            detail=f"It was read {CONTROL_TRIES} times.",
            hint="Check the disk of the source.",
        )


def order(path: str) -> tuple[str, ...]:
    """Return the key by which paths are listed: each directory comes just before its entries."""
    return tuple(path.split("/"))
