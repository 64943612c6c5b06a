"""Examine every file of a server, and report those that a recovery cannot read, change or remove.

Only names and attributes are read, and files that appear or vanish meanwhile are ignored. The
kernel decides whether access is allowed (access(2)), since it also considers ACLs and read-only
filesystems. It treats "immutable" files as read-only, but not "append only" ones (ioctl_iflags(2)).
"""

import array
import fcntl
import os
import re
import socket
import stat
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from pgpool_recovery.domain.data_directory import (
    COUNTED,
    LINKS,
    LOST_AND_FOUND,
    SMALL_BYTES,
    STANDBY_FILES,
    UNSENT_DIRECTORIES,
    WAL,
    is_never_sent,
    is_of_node,
)
from pgpool_recovery.facts.access import MAX_NAME_BYTES, Access, Lacks, Obstacle
from pgpool_recovery.files.trust import user_name
from pgpool_recovery.host.filesystem import entries_of

LOOK_S = 60.0
"""How long the examination may take; it is enough for stat(2) of some millions of files."""
KEPT_OBSTACLES = 20
"""The limit for each kind, so the obstacles of one method do not hide those of another."""
BLOCK_BYTES = 512
FS_IOC_GETFLAGS = 0x80086601  # linux/fs.h
FIXED_FLAGS = 0x10 | 0x20  # FS_IMMUTABLE_FL, FS_APPEND_FL
WAL_FILE = re.compile(r"[0-9A-F]{24}")


class _Look:
    """One examination of a server's files, with its deadline and its findings."""

    def __init__(self, limit_s: float) -> None:
        self._deadline = time.monotonic() + limit_s
        self._found: defaultdict[Lacks, dict[str, Obstacle]] = defaultdict(dict)
        self._more: Counter[Lacks] = Counter()
        self._user = os.geteuid()
        self.is_whole = True
        self.kept_bytes = self.copied_bytes = 0

    def add(self, path: str, status: os.stat_result, lacks: Lacks, *, is_fixed: bool) -> None:
        """Record an obstacle, once for each path."""
        known = self._found[lacks]
        if path in known:
            return
        if len(known) >= KEPT_OBSTACLES:
            self._more[lacks] += 1
            return
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        is_ours = status.st_uid == self._user
        owner = user_name(status.st_uid)
        known[path] = Obstacle(path, lacks, owner, mode, is_ours, is_fixed)

    def entries(self, directory: str) -> Iterator[os.DirEntry[str]]:
        """Yield the entries of a directory; none if it cannot be read or the time is up."""
        if self._is_late():
            return
        try:
            found = entries_of(directory)
        except OSError:
            return
        for entry in found:
            if self._is_late():
                return
            yield entry

    def _is_late(self) -> bool:
        self.is_whole = self.is_whole and time.monotonic() <= self._deadline
        return not self.is_whole

    def is_ours(self, status: os.stat_result) -> bool:
        """Return whether a file belongs to the user of the server."""
        return status.st_uid == self._user

    def seen(self) -> Access:
        """Return the findings."""
        return Access(
            host=socket.gethostname(),
            user=user_name(self._user),
            obstacles=tuple(
                found[path] for _, found in sorted(self._found.items()) for path in sorted(found)
            ),
            more=dict(self._more),
            is_whole=self.is_whole,
            kept_bytes=self.kept_bytes,
            copied_bytes=self.copied_bytes,
        )


def look_as_source(data: Path, tablespaces: Collection[Path], *, limit_s: float = LOOK_S) -> Access:
    """Return which of a primary's files a base backup or pg_rewind could not read.

    `tablespaces` are the version directories. `kept_bytes` of the result is the size of the files
    that no SQL function counts.
    """
    look = _Look(limit_s)
    for entry in look.entries(str(data)):
        _source_top(look, entry)
    for directory in tablespaces:
        _source(look, str(directory), len(os.fsencode(directory.parent)) + 1, Lacks.READING)
    return look.seen()


def _source_top(look: _Look, entry: os.DirEntry[str]) -> None:
    """Examine an entry at the top of the data directory."""
    skipped = len(os.fsencode(entry.path)) - len(os.fsencode(entry.name))
    status = _status(entry)
    if status is None or entry.name == LINKS or is_never_sent(entry.name):
        return
    if entry.name in UNSENT_DIRECTORIES:
        _readable(look, entry.path, status, Lacks.READING)
    elif entry.name == WAL or stat.S_ISLNK(status.st_mode):
        _source(look, entry.path, skipped, Lacks.READING_BY_REWIND)
    else:
        size = _source(look, entry.path, skipped, Lacks.READING)
        look.kept_bytes += 0 if entry.name in COUNTED else size


def _source(
    look: _Look, path: str, skipped: int, lacks: Lacks, status: os.stat_result | None = None
) -> int:
    """Examine a file, or a directory with everything below it; return its size in bytes.

    The first `skipped` bytes of a path are not in a tar header, so they do not count towards its
    limit. Without a status, the path may be a symbolic link, which is followed.
    """
    with suppress(OSError):
        status = status or Path(path).stat()
        if lacks is Lacks.READING and len(os.fsencode(path)) - skipped > MAX_NAME_BYTES:
            look.add(path, status, Lacks.NAME, is_fixed=False)
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            return 0  # A base backup warns about it, and pg_rewind ignores it.
        if not _readable(look, path, status, lacks) or stat.S_ISREG(status.st_mode):
            return status.st_blocks * BLOCK_BYTES
        inner = 0
        for entry in look.entries(path):
            found = _status(entry)
            if found is None or is_never_sent(entry.name):
                continue
            if stat.S_ISLNK(found.st_mode):
                _readable_file_by_link(look, entry.path)
            else:
                inner += _source(look, entry.path, skipped, lacks, found)
        return inner
    return 0


def _readable_file_by_link(look: _Look, path: str) -> None:
    """Examine the target of a link below the top; pg_rewind reads it, a base backup does not."""
    with suppress(OSError):
        _readable(look, path, Path(path).stat(), Lacks.READING_BY_REWIND)


def _readable(look: _Look, path: str, status: os.stat_result, lacks: Lacks) -> bool:
    wanted = os.R_OK | os.X_OK if stat.S_ISDIR(status.st_mode) else os.R_OK
    if _may(path, wanted):
        return True
    look.add(path, status, lacks, is_fixed=False)
    return False


def look_as_target(
    data: Path, others: Collection[Path], workspaces: Collection[Path], *, limit_s: float = LOOK_S
) -> Access:
    """Return which of a node's files could not be kept, changed or removed.

    `others` are its tablespaces, and its WAL directory if that is elsewhere. The workspaces contain
    what earlier recoveries have replaced.
    """
    look = _Look(limit_s)
    if not data.is_dir() or os.statvfs(data).f_flag & os.ST_RDONLY:
        return look.seen()  # An empty or read-only place is reported by other facts.
    for directory in (data, *others):
        _changeable(look, str(directory))
        for entry in sorted(look.entries(str(directory)), key=_rank):
            is_own = directory is data and is_of_node(entry.name)
            if entry.name != LOST_AND_FOUND or not os.path.ismount(directory):
                size = _target(look, entry, is_own=is_own)
                look.kept_bytes += size if is_own else 0
    for workspace in workspaces:
        for entry in look.entries(str(workspace)):
            _target(look, entry, is_own=False, is_old=True)
    return look.seen()


def _rank(entry: os.DirEntry[str]) -> int:
    """Return a sort key: first come the files that every method replaces, so all are reported."""
    is_replaced = entry.name in STANDBY_FILES
    return STANDBY_FILES.index(entry.name) if is_replaced else len(STANDBY_FILES)


def _target(look: _Look, entry: os.DirEntry[str], *, is_own: bool, is_old: bool = False) -> int:
    """Examine an entry in a node's directory with everything below it; return its size in bytes.

    `is_own` marks files of the node's own, and `is_old` files that will only be removed.
    """
    status = _status(entry)
    if status is None:
        return 0
    if stat.S_ISREG(status.st_mode):
        _file(look, entry.path, status, is_own=is_own, is_old=is_old)
        return status.st_blocks * BLOCK_BYTES
    if not stat.S_ISDIR(status.st_mode):
        return 0
    _directory(look, entry.path, status, is_own=is_own, is_old=is_old)
    return sum(
        _target(look, inner, is_own=is_own, is_old=is_old) for inner in look.entries(entry.path)
    )


def _file(look: _Look, path: str, status: os.stat_result, *, is_own: bool, is_old: bool) -> None:
    is_ours = look.is_ours(status)
    if is_own:
        is_readable = _may(path, os.R_OK)
        is_named = is_ours and (status.st_size > SMALL_BYTES or not is_readable)
        look.copied_bytes += 0 if is_named else status.st_blocks * BLOCK_BYTES
        if not is_readable and not is_ours:
            look.add(path, status, Lacks.READING, is_fixed=False)
        elif is_fixed(path, status):
            look.add(path, status, Lacks.REMOVING, is_fixed=True)
    elif not _may(path, os.W_OK):
        if is_ours and is_fixed(path, status):
            look.add(path, status, Lacks.REMOVING, is_fixed=True)
        elif not is_old:
            look.add(path, status, Lacks.CHANGING, is_fixed=False)


def _directory(
    look: _Look, path: str, status: os.stat_result, *, is_own: bool, is_old: bool
) -> None:
    is_ours = look.is_ours(status)
    if is_fixed(path, status):
        look.add(path, status, Lacks.REMOVING, is_fixed=True)
    elif is_ours and (is_own or is_old):
        return  # A recovery changes its mode for as long as necessary.
    elif is_own and not _may(path, os.R_OK | os.X_OK):
        look.add(path, status, Lacks.READING, is_fixed=False)
    elif not _may(path, os.R_OK | os.W_OK | os.X_OK):
        lacks = Lacks.CHANGING if is_ours else Lacks.REMOVING
        look.add(path, status, lacks, is_fixed=False)


def _changeable(look: _Look, directory: str) -> None:
    """Examine a directory itself, in which entries must be created and removed."""
    with suppress(OSError):
        status = Path(directory).stat()
        if is_fixed(directory, status):
            look.add(directory, status, Lacks.REMOVING, is_fixed=True)
        elif not _may(directory, os.R_OK | os.W_OK | os.X_OK):
            look.add(directory, status, Lacks.CHANGING, is_fixed=False)


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None


def _may(path: str, wanted: int) -> bool:
    """Return whether the kernel allows the access, or the path is gone meanwhile."""
    return os.access(path, wanted) or not os.path.lexists(path)


def is_fixed(path: str, status: os.stat_result) -> bool:
    """Return whether a file or directory is immutable or append-only, whatever its mode is."""
    return bool(_flags(path, status) & FIXED_FLAGS)


def _flags(path: str, status: os.stat_result) -> int:
    """Return the attributes of a file (chattr(1)); 0 if the filesystem has none."""
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return 0
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return 0
    flags = array.array("l", [0])
    try:
        fcntl.ioctl(descriptor, FS_IOC_GETFLAGS, flags)
    except OSError:
        return 0
    finally:
        os.close(descriptor)
    return flags[0]


def spare_wal_bytes(pg_wal: Path, used: Collection[str]) -> int:
    """Return the size of the files in a pg_wal that are recycled for later WAL.

    These are all WAL files whose names are not in `used`.
    """
    look, known = _Look(LOOK_S), set(used)
    spare = [
        _status(entry)
        for entry in look.entries(str(pg_wal))
        if WAL_FILE.fullmatch(entry.name) and entry.name not in known
    ]
    return sum(status.st_size for status in spare if status is not None)
