"""Write files atomically, through no link, and as root only where no other user can interfere.

Nothing else in the package opens a file for writing (ci/rules/file_writing.py). Each function
raises OSError, and Refused if root would write in a directory that others can change.
"""

import errno
import fcntl
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.files.trust import (
    DIRECTORY_FLAGS,
    ROOT,
    Untrusted,
    open_directory,
    user_name,
)

PRIVATE = 0o600
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
SAME = -1
"""For chown(2): leave the id unchanged."""
COPIED_BYTES = 1 << 20
GROWING = re.compile(r"\.[0-9a-f]{16}\.new")
"""The suffix of the temporary file that will replace a file."""
TRIES = 10


class Owner(NamedTuple):
    """The owner and the group that a file gets."""

    uid: int
    gid: int


def write_file(
    path: Path,
    contents: bytes | str,
    *,
    mode: int = PRIVATE,
    owner: Owner | None = None,
    growing: str | None = None,
) -> None:
    """Write a file atomically and durably: a reader sees the old contents or the new ones.

    The data is written to a temporary file beside it, which only we can read until owner and mode
    are set, and whose name cannot be guessed. `growing` is a fixed name for it instead, one that
    other programs know to skip, as PostgreSQL does with postgresql.auto.conf.tmp. Temporary files
    of earlier writes that crashed are removed first.
    """
    data = contents.encode(errors="surrogateescape") if isinstance(contents, str) else contents
    with _naming(path), _directory_of(path) as directory:
        _remove_left(path.name, directory)
        if growing is not None:
            with suppress(FileNotFoundError):
                os.unlink(growing, dir_fd=directory)
        name, descriptor = _open_growing(path.name, growing, directory)
        try:
            if owner is not None:
                os.fchown(descriptor, owner.uid, owner.gid)
            os.fchmod(descriptor, mode)
            _write_all(descriptor, data)
            os.fsync(descriptor)
            os.rename(name, path.name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=directory)
            raise
        finally:  # Closing it earlier would release the lock, and another writer might remove it.
            os.close(descriptor)
        os.fsync(directory)


def replace_file(path: Path, contents: bytes | str, *, growing: str | None = None) -> None:
    """Replace an existing file; mode, owner and group are kept.

    But only root can give a file away: another user becomes its owner, and the group is kept only
    if the user is a member.
    """
    old = path.lstat()
    is_ours = os.geteuid() == ROOT or old.st_gid in (os.getegid(), *os.getgroups())
    owner = Owner(old.st_uid if os.geteuid() == ROOT else SAME, old.st_gid if is_ours else SAME)
    write_file(path, contents, mode=stat.S_IMODE(old.st_mode), owner=owner, growing=growing)


def make_directory_of(path: Path) -> None:
    """Create the missing parent directories of a file; as root, only where others cannot write."""
    if os.geteuid() == ROOT:
        there = next(directory for directory in path.parents if directory.exists())
        try:
            os.close(open_directory(there, {ROOT}))
        except Untrusted as untrusted:
            raise root_refusal(path, untrusted) from untrusted
    path.parent.mkdir(parents=True, exist_ok=True)


def rename_file(path: Path, name: str) -> None:
    """Give a file another name in its directory."""
    with _naming(path), _directory_of(path) as directory:
        os.rename(path.name, name, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)


def remove_file(path: Path) -> None:
    """Remove a file, or a link itself."""
    with _naming(path), _directory_of(path) as directory:
        os.unlink(path.name, dir_fd=directory)
        os.fsync(directory)


def sync(path: Path) -> None:
    """Make a file, or the renames in a directory, durable (fsync(2))."""
    with _naming(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_written(descriptor: int, path: Path, *, is_whole: bool) -> None:
    """Make what was written to a file durable; its other attributes only if it `is_whole`.

    A file for which that fails is emptied (`sync_opened`).
    """
    with _naming(path), _emptying(descriptor):
        (os.fsync if is_whole else os.fdatasync)(descriptor)


def open_lock_file(path: Path, *, mode: int | None = PRIVATE) -> int:
    """Return a descriptor to lock (flock(2)); the file is created unless `mode` is None."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    made = 0 if mode is None else os.O_CREAT
    with _naming(path), _directory_of(path) as directory:
        descriptor = os.open(path.name, flags | made, mode or 0, dir_fd=directory)
    return _regular(descriptor, path)


def open_in_place(path: Path, *, made_with: int | None = None) -> int:
    """Return a descriptor to overwrite parts of a file; `made_with`: create it with that mode."""
    # Without O_NONBLOCK, opening a FIFO would wait. It has no effect on a regular file.
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    made = 0 if made_with is None else os.O_CREAT
    with _naming(path), _directory_of(path) as directory:
        descriptor = os.open(path.name, flags | made, made_with or 0, dir_fd=directory)
    return _regular(descriptor, path)


def open_in_directory(name: str, directory: int, *, made_with: int) -> int:
    """Return a descriptor to overwrite parts of a file in an open directory; it may be created.

    What it finds there need not be a regular file, but is never reached through a link.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.open(name, flags, made_with, dir_fd=directory)


def sync_opened(descriptor: int) -> None:
    """Make an open file durable (fsync(2)); it is emptied if that fails.

    The kernel keeps what it could not write in its cache as if it had, and the next fsync(2)
    succeeds (data_sync_retry in runtime-config-error-handling.html). So a comparison would find the
    file complete, and nobody would write again what the disk does not have.
    """
    with _emptying(descriptor):
        os.fsync(descriptor)


def empty_file(path: Path) -> None:
    """Empty a file that could not be synced, for the reason in `sync_opened`."""
    descriptor = open_in_place(path)
    try:
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


@contextmanager
def _emptying(descriptor: int) -> Iterator[None]:
    try:
        yield
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
        raise


def write_all_at(descriptor: int, data: memoryview, offset: int) -> None:
    """Write everything at an offset (pwrite(2)), even if the system takes it in parts."""
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def open_nameless(directory: Path) -> int:
    """Return a descriptor of a nameless file that is gone once closed (O_TMPFILE in open(2))."""
    return os.open(directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, PRIVATE)


def copy_file(source: str | Path, target: str | Path) -> str:
    """Copy a file to a new path, with its mode and times; a link is copied as a link.

    If the copy fails, it is removed. Returns the new path, as shutil.copytree expects.
    """
    source, target = Path(source), Path(target)
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return str(target)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(source, flags), "rb") as read:
        descriptor = os.open(target, NEW_FILE, PRIVATE)
        try:
            with _naming(target), os.fdopen(descriptor, "wb") as written:
                shutil.copyfileobj(read, written, COPIED_BYTES)
            copy_attributes(source, target)
        except BaseException:
            with suppress(FileNotFoundError):
                target.unlink()
            raise
    return str(target)


def has_linked(source: Path, target: Path) -> bool:
    """Give a file a second name at a new path, and return whether that was possible.

    It is not on another filesystem, nor for a file of another user. The caller can copy it instead.
    """
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        return False
    return True


def copy_attributes(source: Path, target: Path) -> None:
    """Give a file or a directory the mode and the times of another one."""
    shutil.copystat(source, target, follow_symlinks=False)


def move(source: Path, target: Path) -> None:
    """Move a file, a link or a directory to a new path, even on another filesystem.

    If the copy to another filesystem fails, no part of it stays at the new path.
    """
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    if source.is_dir() and not source.is_symlink():
        if os.path.lexists(target):  # A failed copy would remove it, but it is not ours.
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        try:
            shutil.copytree(source, target, symlinks=True, copy_function=copy_file)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
        shutil.rmtree(source)
    else:
        copy_file(source, target)
        source.unlink()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Make every OSError name the file; a write names none, and others only a relative name."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


@contextmanager
def _directory_of(path: Path) -> Iterator[int]:
    """Open the directory of a file; for root, it must be one that others cannot change."""
    try:
        if os.geteuid() == ROOT:
            descriptor = open_directory(path.parent, {ROOT})
        else:
            descriptor = os.open(path.parent, DIRECTORY_FLAGS)
    except Untrusted as untrusted:
        raise root_refusal(path, untrusted) from untrusted
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def root_refusal(path: Path, untrusted: Untrusted) -> Refused:
    """Return the refusal of root to write a file that others could replace by a link."""
    if untrusted.owner == ROOT:
        hint = "Revoke the write permission of others there (chmod go-w)."
    else:
        name = user_name(untrusted.owner)
        hint = f"Run it as that user, not as root: sudo -u {name}, then the same command."
    return Refused(
        f"root does not write {path}: others could redirect it",
        detail=f"{untrusted.why}.",
        hint=hint,
    )


def _beside(name: str) -> str:
    """Return a name that cannot be guessed, with a suffix that readers of directories ignore.

    >>> _beside("a.conf").startswith("a.conf."), _beside("a.conf").endswith(".new")
    (True, True)
    """
    return f"{name}.{os.urandom(8).hex()}.new"


def _open_growing(name: str, growing: str | None, directory: int) -> tuple[str, int]:
    """Create the temporary file and lock it; return its name and a descriptor."""
    for _ in range(TRIES):
        beside = growing or _beside(name)
        descriptor = os.open(beside, NEW_FILE, PRIVATE, dir_fd=directory)
        if not _is_held_by_another(descriptor) and os.fstat(descriptor).st_nlink > 0:
            return beside, descriptor
        os.close(descriptor)  # Another writer took it for a leftover before we had locked it.
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


def _is_held_by_another(descriptor: int) -> bool:
    """Lock a file of ours; return whether another process was first, which will remove it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # On a filesystem without locks, leftovers are never removed.
        return False
    return False


def _remove_left(name: str, directory: int) -> None:
    """Remove what crashed writes of a file have left; an active writer holds a lock."""
    for entry in os.listdir(directory):
        if entry.startswith(name) and GROWING.fullmatch(entry, len(name)):
            with suppress(OSError):
                _remove_unless_held(entry, directory)


def _remove_unless_held(name: str, directory: int) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=directory)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=directory)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _regular(descriptor: int, path: Path) -> int:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return descriptor
