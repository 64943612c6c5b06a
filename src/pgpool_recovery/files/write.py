"""Write files: whole or not at all, into no link, and as root only where nobody else can interfere.

Nothing else in the library opens a file for writing (ci/rules/file_writing.py). Each function
raises OSError, and Refused when root is asked to write in a directory that others can change.
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
"""For chown(2)."""
COPIED_BYTES = 1 << 20
GROWING = re.compile(r"\.[0-9a-f]{16}\.new")
"""What follows the name of a file in that of one that is to take its place."""
TRIES = 10


class Owner(NamedTuple):
    """Whom a file is to belong to."""

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
    """Put a file in place at once, and last: whoever looks sees the old one or the new one.

    It grows beside its place, for nobody but us until owner and mode are right, under a name that
    nobody can guess. `growing`: a name that others know to leave out, as PostgreSQL does with
    postgresql.auto.conf.tmp. What a crash left of an earlier write of the file goes first.
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
        finally:  # Not before: the lock goes with it, and the name would be taken for left.
            os.close(descriptor)
        os.fsync(directory)


def replace_file(path: Path, contents: bytes | str, *, growing: str | None = None) -> None:
    """Put a file in the place of one that is there; its mode stays, and whose it is.

    But for what this user cannot give away: unless he is root the file is his own, and has another
    group when he is not in the one that it had.
    """
    old = path.lstat()
    is_ours = os.geteuid() == ROOT or old.st_gid in (os.getegid(), *os.getgroups())
    owner = Owner(old.st_uid if os.geteuid() == ROOT else SAME, old.st_gid if is_ours else SAME)
    write_file(path, contents, mode=stat.S_IMODE(old.st_mode), owner=owner, growing=growing)


def make_directory_of(path: Path) -> None:
    """Make the directories that a file lacks; root makes none where he would not write the file."""
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
    """Make a file, or the renames in a directory, last (fsync(2))."""
    with _naming(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def open_lock_file(path: Path, *, mode: int | None = PRIVATE) -> int:
    """Return a descriptor to lock (flock(2)); the file is made unless `mode` is None."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    made = 0 if mode is None else os.O_CREAT
    with _naming(path), _directory_of(path) as directory:
        descriptor = os.open(path.name, flags | made, mode or 0, dir_fd=directory)
    return _regular(descriptor, path)


def open_in_place(path: Path, *, made_with: int | None = None) -> int:
    """Return a descriptor to write over parts of a file; made with a mode when it is not there."""
    # A FIFO would be waited for without O_NONBLOCK, which means nothing to a file.
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    made = 0 if made_with is None else os.O_CREAT
    with _naming(path), _directory_of(path) as directory:
        descriptor = os.open(path.name, flags | made, made_with or 0, dir_fd=directory)
    return _regular(descriptor, path)


def open_nameless(directory: Path) -> int:
    """Return a descriptor of a file that never has a name and goes with it (O_TMPFILE, open(2))."""
    return os.open(directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, PRIVATE)


def copy_file(source: str | Path, target: str | Path) -> str:
    """Copy a file to where nothing is, with its mode and times; a link is copied as a link.

    What could not be copied whole is not there.
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
    """Give a file a second name, where nothing is; say whether that could be done.

    It cannot on another filesystem, nor with a file of somebody else's: a copy does as well.
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
    """Move a file, a link or a directory to where nothing is, be it on another filesystem.

    It is never in both places, nor half in one, when it could not be moved.
    """
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    if source.is_dir() and not source.is_symlink():
        if os.path.lexists(target):  # It is not ours to remove.
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
    """Let every failure of the system name the file: a write does not, and others a name only."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


@contextmanager
def _directory_of(path: Path) -> Iterator[int]:
    """Open the directory of a file; for root one that others can do nothing to."""
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
    """Return why root leaves a file alone that others could put a link in the place of."""
    if untrusted.owner == ROOT:
        hint = "Take the right to write there away (chmod go-w)."
    else:
        name = user_name(untrusted.owner)
        hint = f"Run it as that user, not as root: sudo -u {name} and the same words."
    return Refused(
        f"root does not write {path}: others could lead it elsewhere",
        detail=f"{untrusted.why}.",
        hint=hint,
    )


def _beside(name: str) -> str:
    """Return a name that nobody can guess; no reader of a directory takes the ending for its own.

    >>> _beside("a.conf").startswith("a.conf."), _beside("a.conf").endswith(".new")
    (True, True)
    """
    return f"{name}.{os.urandom(8).hex()}.new"


def _open_growing(name: str, growing: str | None, directory: int) -> tuple[str, int]:
    """Make the file that grows, and hold it: return its name, and a descriptor with a lock."""
    for _ in range(TRIES):
        beside = growing or _beside(name)
        descriptor = os.open(beside, NEW_FILE, PRIVATE, dir_fd=directory)
        if not _is_held_by_another(descriptor) and os.fstat(descriptor).st_nlink > 0:
            return beside, descriptor
        os.close(descriptor)  # Another writer has taken it for left, before we held it.
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


def _is_held_by_another(descriptor: int) -> bool:
    """Lock a file of ours, and say whether another process was first, who will remove it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # A filesystem without locks, on which nothing left is removed.
        return False
    return False


def _remove_left(name: str, directory: int) -> None:
    """Remove what crashes have left of earlier writes of a file; who still writes holds a lock."""
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
