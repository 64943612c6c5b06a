"""Facts about a directory of this host, whether it exists or not."""

import os
import re
import stat
from contextlib import suppress
from pathlib import Path, PurePath

from pgpool_recovery.agent.directory.workspace import is_workspace
from pgpool_recovery.facts.facts import FileIdentity, Filesystem, PlaceFacts
from pgpool_recovery.facts.step import Place
from pgpool_recovery.files.text import bytes_of, read_lines, read_text, text_of
from pgpool_recovery.host.way import trusted_directory
from pgpool_recovery.plan.situation import WORKSPACE

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
MOUNTS = Path("/proc/self/mountinfo")
ESCAPE = re.compile(rb"\\([0-3][0-7]{2})")
OVERLAY = "overlay"
ANOTHER_USER = "it belongs to another user"
OLD = "old"
"""Where, in its workspace, the directory waits that a copy has replaced."""
NEW = "new"
"""Where the copy grows there."""
NO_DATA = ("lost+found", WORKSPACE)
BLOCK_BYTES = 512  # The unit of st_blocks (stat(2)).


def observe_place(path: Path, *, is_own: bool) -> PlaceFacts:
    """Return what is known about a directory; `path` may be a symbolic link to it.

    `is_own`: it is known to be the node's; so is one that an earlier recovery has replaced. Refused
    when somebody else can put another one there.
    """
    real = trusted_directory(path)
    problem = _problem(real)
    exists = problem is None and real.is_dir()
    waiting_bytes = _waiting_bytes(real)
    is_movable = can_rename(real)
    return PlaceFacts(
        path=str(real),
        exists=exists,
        size_bytes=size_of(real) if exists else 0,
        can_write=is_movable or (exists and os.access(real, os.W_OK | os.X_OK)),
        can_rename=is_movable,
        filesystem=filesystem_of(real),
        identity=identity_of(real),
        waiting_bytes=waiting_bytes,
        is_empty=not exists or all(entry.name in NO_DATA for entry in real.iterdir()),
        is_own=is_own or waiting_bytes is not None,
        problem=problem,
        is_of_another_user=problem == ANOTHER_USER,
        is_layered=exists and is_layered(real),
    )


def _problem(real: Path) -> str | None:
    try:
        status = real.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return os.strerror(error.errno).lower() if error.errno else "it cannot be read"
    if not stat.S_ISDIR(status.st_mode):
        return "it is not a directory"
    return None if status.st_uid == os.geteuid() else ANOTHER_USER


def _waiting_bytes(real: Path) -> int | None:
    waiting = [workspace / OLD for workspace in workspaces_of(real)]
    sizes = [size_of(directory) for directory in waiting if directory.is_dir()]
    return sum(sizes) if sizes else None


def workspaces_of(path: Path) -> tuple[Path, ...]:
    """Return the workspaces of a directory that are there: beside it, or inside.

    Refused when there is one that somebody else can have made.
    """
    return tuple(workspace for workspace in _possible(path) if is_workspace(workspace))


def workspace_of(path: Path) -> Path:
    """Return where the workspace of a directory is, or would be: inside, if need be."""
    return _beside(path) if can_rename(path) else path / WORKSPACE


def could_be_place(place: Place, workspace: Path) -> bool:
    """Say whether this workspace could be where that place is prepared."""
    path = Path(place.path)
    inner = PurePath(place.new).relative_to(workspace) if _is_below(place.new, workspace) else None
    return (
        path.is_absolute()
        and ".." not in path.parts
        and workspace == (path / WORKSPACE if place.is_inside else _beside(path))
        and inner is not None
        and inner.parts[:1] == (NEW,)
        and len(inner.parts) <= len((NEW, "PG_15_202209061"))
        and ".." not in inner.parts
    )


def _is_below(path: str, directory: Path) -> bool:
    return PurePath(path).is_relative_to(directory)


def _possible(path: Path) -> tuple[Path, Path]:
    return _beside(path), path / WORKSPACE


def can_rename(path: Path) -> bool:
    """Say whether a directory can be moved, and an entry made beside it.

    Nobody else takes that away: who may write there was looked at before (way.py).
    """
    return not is_mount_point(path) and can_create_in(path.parent)


def is_mount_point(path: Path) -> bool:
    """Say whether something is mounted there, be it a directory of the same filesystem.

    By its device number such a one cannot be told from any other (os.path.ismount), and that is how
    the root of a btrfs subvolume or a ZFS dataset shows, which stands in no list of mounts.
    """
    return os.path.ismount(path) or str(path) in mounts_inside(path.parent)


def is_layered(directory: Path) -> bool:
    """Say whether a directory is one that an overlay filesystem puts together of several layers.

    Such a one cannot be renamed (EXDEV, "Renaming directories" in the kernel's overlayfs.rst), and
    is told by its one link: others have one more for each directory within (ovl_getattr in
    fs/overlayfs/inode.c).
    """
    return directory.stat().st_nlink == 1 and mount_point_of(directory) in _overlays()


def _overlays() -> set[str]:
    lines = [line.split(" ") for line in read_lines(MOUNTS)]
    return {_unescaped(words[4]) for words in lines if words[words.index("-") + 1] == OVERLAY}


def mount_point_of(path: Path) -> str:
    """Return where the filesystem is mounted that a path lies on, or would."""
    real = nearest_existing(path).resolve()
    above = (point for point in mounts_inside(Path("/")) if real.is_relative_to(point))
    return max(above, key=len, default="/")


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.{WORKSPACE}")


def identity_of(path: Path) -> FileIdentity | None:
    """Return which directory this really is, or None when it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return FileIdentity(boot_id=boot_id(), device=status.st_dev, inode=status.st_ino)


def boot_id() -> str:
    """Return what tells this running system from all others (random(4))."""
    return read_text(BOOT_ID).strip()


def nearest_existing(path: Path) -> Path:
    """Return the path or the nearest directory above it that exists."""
    return next(above for above in [path, *path.parents] if above.exists())


def can_create_in(directory: Path) -> bool:
    """Say whether an entry can be made in a directory, which may have to be made first."""
    return os.access(nearest_existing(directory), os.W_OK | os.X_OK)


def filesystem_of(path: Path) -> Filesystem:
    """Return the filesystem that the path lies on, or would."""
    existing = nearest_existing(path)
    status = os.statvfs(existing)
    return Filesystem(
        device=existing.stat().st_dev,
        free_bytes=status.f_bavail * status.f_frsize,
        is_read_only=bool(status.f_flag & os.ST_RDONLY),
        mounted_at=mount_point_of(existing),
    )


def size_of(directory: Path) -> int:
    """Return the bytes on disk of all files below a directory; follows no link.

    Of a server that runs, files go while we look (test_files_that_go_meanwhile_are_not_counted).
    What is in a directory of another user does not count, as in a filesystem's lost+found; whether
    that is in the way is found out elsewhere (access.py).
    """
    total = 0
    try:
        entries = list(os.scandir(directory))
    except (FileNotFoundError, PermissionError):
        return 0
    for entry in entries:
        with suppress(FileNotFoundError, PermissionError):
            total += entry.stat(follow_symlinks=False).st_blocks * BLOCK_BYTES
        if entry.is_dir(follow_symlinks=False):
            total += size_of(Path(entry.path))
    return total


def mounts_inside(directory: Path) -> tuple[str, ...]:
    """Return the mount points below a directory (proc_pid_mountinfo(5))."""
    points = (_unescaped(line.split(" ")[4]) for line in read_lines(MOUNTS))
    return tuple(
        point
        for point in points
        if Path(point) != directory and Path(point).is_relative_to(directory)
    )


def _unescaped(point: str) -> str:
    r"""Return a mount point as it is called; the kernel escapes four characters (mangle_path).

    >>> _unescaped(r"/d\303\244t\040\134")
    '/dät \\'
    """
    return text_of(ESCAPE.sub(lambda found: bytes([int(found[1], 8)]), bytes_of(point)))
