"""Examine directories of this host: their mounts, free space, identity and size."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from pgpool_recovery.facts.facts import FileIdentity, Filesystem
from pgpool_recovery.files.text import bytes_of, read_lines, read_text, text_of

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
MOUNTS = Path("/proc/self/mountinfo")
ESCAPE = re.compile(rb"\\([0-3][0-7]{2})")
OVERLAY = "overlay"
AWAY = re.compile(r"autofs|nfs4?|cifs|smb3|smbfs|ceph|lustre|glusterfs|afs|9p|fuse(\..*)?")
"""The filesystems of which a look may mount something, or wait for another host, even forever."""
BLOCK_BYTES = 512  # The unit of st_blocks (stat(2)).


def can_rename(path: Path) -> bool:
    """Return whether a directory can be renamed and an entry be created beside it.

    This stays true, since who may write there was checked before (way.py).
    """
    return not is_mount_point(path) and can_create_in(path.parent)


def is_mount_point(path: Path) -> bool:
    """Return whether something is mounted there, even a directory of the same filesystem.

    A bind mount of the same filesystem has the same device number, so os.path.ismount does not see
    it, but it is in the list of mounts. The root of a btrfs subvolume or ZFS dataset may be missing
    in that list, but has a device number of its own.
    """
    return os.path.ismount(path) or str(path) in mounts_inside(path.parent)


def is_layered(directory: Path) -> bool:
    """Return whether an overlay filesystem merges a directory from several layers.

    Such a directory cannot be renamed (EXDEV, "Renaming directories" in the kernel's
    overlayfs.rst). It is recognised by its link count of one, where others have one more for each
    subdirectory (ovl_getattr in fs/overlayfs/inode.c).
    """
    return directory.stat().st_nlink == 1 and mount_point_of(directory) in _overlays()


def _overlays() -> set[str]:
    return {point for point, kind in _mounts() if kind == OVERLAY}


def _mounts() -> Iterator[tuple[str, str]]:
    """Yield each mount point and the type of its filesystem; what covers another one is later."""
    for line in read_lines(MOUNTS):
        words = line.split(" ")
        yield _unescaped(words[4]), words[words.index("-") + 1]


def may_be_looked_at(data: Path) -> Callable[[Path], bool]:
    """Return what tells whether a path is on a filesystem of this host, or on that of the data.

    It does so by the list of mounts, without a look at the path.
    """
    kinds = dict(_mounts())

    def mounted_at(path: Path) -> str | None:
        return next((str(one) for one in (path, *path.parents) if str(one) in kinds), None)

    own = mounted_at(data)

    def may_be(path: Path) -> bool:
        point = mounted_at(path)
        return point is None or point == own or AWAY.fullmatch(kinds[point]) is None

    return may_be


def mount_point_of(path: Path) -> str:
    """Return the mount point of the filesystem that a path is on, or would be on."""
    real = nearest_existing(path).resolve()
    above = (point for point in mounts_inside(Path("/")) if real.is_relative_to(point))
    return max(above, key=len, default="/")


def identity_of(path: Path) -> FileIdentity | None:
    """Return the identity of a directory, whatever its path is; None when it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return FileIdentity(boot_id=boot_id(), device=status.st_dev, inode=status.st_ino)


def boot_id() -> str:
    """Return the ID that distinguishes this boot of this system from all others (random(4))."""
    return read_text(BOOT_ID).strip()


def nearest_existing(path: Path) -> Path:
    """Return the path or the nearest directory above it that exists."""
    return next(above for above in [path, *path.parents] if above.exists())


def can_create_in(directory: Path) -> bool:
    """Return whether an entry can be created in a directory, which itself need not exist yet."""
    return os.access(nearest_existing(directory), os.W_OK | os.X_OK)


def filesystem_of(path: Path) -> Filesystem:
    """Return the filesystem that the path is on, or would be on."""
    existing = nearest_existing(path)
    status = os.statvfs(existing)
    return Filesystem(
        device=existing.stat().st_dev,
        free_bytes=status.f_bavail * status.f_frsize,
        is_read_only=bool(status.f_flag & os.ST_RDONLY),
        mounted_at=mount_point_of(existing),
    )


def size_of(directory: Path, got_on: Callable[[], None] = lambda: None) -> int:
    """Return the bytes on disk of all files below a directory; follow no links.

    `got_on` is called now and then, since there may be a million of them.

    Files of a running server may vanish meanwhile (test_files_that_go_meanwhile_are_not_counted).
    The contents of directories that we may not read, such as lost+found, are not counted; whether
    they are an obstacle is examined elsewhere (file_access.py).
    """
    total = 0
    try:
        entries = entries_of(directory)
    except (FileNotFoundError, PermissionError):
        return 0
    for entry in entries:
        got_on()
        with suppress(FileNotFoundError, PermissionError):
            total += entry.stat(follow_symlinks=False).st_blocks * BLOCK_BYTES
        if entry.is_dir(follow_symlinks=False):
            total += size_of(Path(entry.path), got_on)
    return total


def entries_of(directory: str | Path) -> Iterator[os.DirEntry[str]]:
    """Return the entries of a directory, which is closed again; each is kept only until its turn.

    An entry remembers its attributes. For a million files in one directory that is a gigabyte.
    """
    with os.scandir(directory) as scan:
        found = list(scan)
    return _each_once(found)


def _each_once(found: list[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
    while found:
        yield found.pop()


def mounts_inside(directory: Path) -> tuple[str, ...]:
    """Return the mount points below a directory (proc_pid_mountinfo(5))."""
    points = (_unescaped(line.split(" ")[4]) for line in read_lines(MOUNTS))
    return tuple(
        point
        for point in points
        if Path(point) != directory and Path(point).is_relative_to(directory)
    )


def _unescaped(point: str) -> str:
    r"""Return a mount point without escapes; the kernel escapes four characters (mangle_path).

    >>> _unescaped(r"/d\303\244t\040\134")
    '/dät \\'
    """
    return text_of(ESCAPE.sub(lambda found: bytes([int(found[1], 8)]), bytes_of(point)))
