"""Open the files that are written: below the directories that were named, through no link."""

import errno
import os
import shutil
import stat
from pathlib import Path

from pgpool_recovery.blocks.frame import malformed
from pgpool_recovery.blocks.path import parts_of, tablespace_of
from pgpool_recovery.domain.control_file import CONTROL_FILE
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.facts.blocks import BlockTarget
from pgpool_recovery.files.write import open_in_directory

KEPT_DIRECTORIES = 32
"""How many directories stay open: files come in the order of their directories."""
TRIES = 3


class TargetFiles:
    """The files of one data directory; one thread uses it."""

    def __init__(self, target: BlockTarget) -> None:
        self._target = target
        data = Path(target.data_directory)
        self._roots: dict[int | None, Path] = {None: data}
        self._roots |= {oid: Path(location) for oid, location in target.tablespaces.items()}
        self._open: dict[tuple[str, ...], int] = {}
        self._mode = 0o600 | (data.stat().st_mode & 0o040)

    def close(self) -> None:
        """Close the directories that are open."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _place(self, path: str) -> tuple[int | None, tuple[str, ...]]:
        """Return the tablespace of a path from the wire, and the path within that."""
        if path == CONTROL_FILE:
            return None, parts_of(self._target.control_file)
        parts = parts_of(path)
        oid = tablespace_of(parts, is_whole=self._target.is_whole)
        if oid is None:
            return None, parts
        version = self._target.format.version_directory
        if oid not in self._roots or parts[2] != version:
            raise malformed(f"{path!r} is in no tablespace of the target")
        return oid, parts[2:]

    def shown(self, path: str) -> Path:
        """Return where a file is, for messages."""
        root, parts = self._place(path)
        return self._roots[root].joinpath(*parts)

    def open_for_reading(self, path: str) -> int | None:
        """Return a descriptor of a file; None if no regular file is there.

        Raises Refused for a symbolic link, and OSError with the file's name.
        """
        root, parts = self._place(path)
        directory = self._directory(root, parts[:-1])
        try:
            descriptor = os.open(
                parts[-1],
                os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
                dir_fd=directory,
            )
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENXIO):  # A socket cannot be opened.
                return None
            raise self._named(error, path)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        return None

    def open_for_writing(self, path: str) -> int:
        """Return a descriptor of a file, which is created if it is missing.

        What else has its name goes, as everything would that the source does not have, except for a
        symbolic link. Raises Refused for that, and OSError with the file's name.
        """
        root, parts = self._place(path)
        for _ in range(TRIES):
            directory = self._directory(root, parts[:-1])
            try:
                descriptor = open_in_directory(parts[-1], directory, made_with=self._mode)
            except OSError as error:
                if error.errno not in (errno.EISDIR, errno.ENXIO):
                    raise self._named(error, path)
            else:
                status = os.fstat(descriptor)
                if stat.S_ISREG(status.st_mode):
                    if not self.have_mode_of(status):
                        os.fchmod(descriptor, self._mode)  # The umask is stricter.
                    return descriptor
                os.close(descriptor)
            self._clear(parts[-1], directory)
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(self.shown(path)))

    def have_mode_of(self, status: os.stat_result) -> bool:
        """Return whether a file has the mode that the files here shall have."""
        return stat.S_IMODE(status.st_mode) == self._mode

    def _clear(self, name: str, directory: int) -> None:
        if stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=directory)
        else:
            os.unlink(name, dir_fd=directory)

    def _directory(self, root: int | None, parts: tuple[str, ...]) -> int:
        """Return a descriptor of a directory; each part of its path is opened by itself."""
        key = (str(root), *parts)
        known = self._open.get(key)
        if known is not None:
            return known
        if parts:
            above = self._directory(root, parts[:-1])
            try:
                opened = os.open(
                    parts[-1],
                    os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC,
                    dir_fd=above,
                )
            except OSError as error:
                raise self._named(error, None, self._roots[root].joinpath(*parts))
        else:
            opened = os.open(self._roots[root], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        while len(self._open) >= KEPT_DIRECTORIES:
            oldest = next(iter(self._open))
            os.close(self._open.pop(oldest))
        self._open[key] = opened
        return opened

    def _named(self, error: OSError, path: str | None, place: Path | None = None) -> Exception:
        """Return the failure of opening something, with its name."""
        shown = place or self.shown(path or "")
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and shown.is_symlink():
            return Refused(
                f"{shown} is a symbolic link",
                detail="The server itself creates none below base, global and tablespaces.",
                hint="Replace the link by the file or directory itself, or make a full copy.",
            )
        error.filename = str(shown)
        return error
