"""Check who owns a file or a directory, and who else may change it or a directory on its path.

This is the same question as sshd's StrictModes: we do not rely on files that others can change, and
root does not write where another user can put a link in the way.
"""

import errno
import grp
import os
import pwd
import stat
from collections.abc import Collection
from contextlib import suppress
from enum import Enum
from pathlib import Path

from pgpool_recovery.files.text import read_opened

ROOT = 0
MAX_LINKS = 40  # As many as the kernel follows (path_resolution(7)).
HERE, ABOVE = ".", ".."
STEP_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""Going through a directory does not require permission to list it."""
DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class TrustFault(Enum):
    """What lets others change something."""

    OWNER = "it belongs to them"
    MODE = "they may write to it"
    KIND = "it is not of the required kind"


class Untrusted(Exception):
    """Others can change a file or directory: `why` says which part of its path, and who can.

    `path` is that part, `owner` the user id of its owner, and `fault` what is wrong with it.
    """

    def __init__(
        self, why: str, owner: int, path: Path, fault: TrustFault = TrustFault.KIND
    ) -> None:
        super().__init__(why)
        self.why = why
        self.owner = owner
        self.path = path
        self.fault = fault


def mine_and_roots() -> frozenset[int]:
    """Return the users who can do anything to this process anyway."""
    return frozenset({ROOT, os.geteuid()})


def open_directory(path: Path, trusted: Collection[int]) -> int:
    """Return a descriptor of a directory that only trusted users can change or replace.

    Each step is opened relative to the descriptor of its parent, and a link is followed only after
    its owner and the directory that holds it were checked. So what was checked is what is used. A
    sticky directory such as /tmp may be on the path, since no other user can remove there what
    belongs to a trusted one, but it cannot be the end. Raises Untrusted or OSError.
    """
    walk = _Walk(trusted)
    try:
        name = walk.down(path.absolute())
        if name != HERE:
            walk.enter(name)
        check(os.fstat(walk.directory), walk.path, trusted)
        return os.open(HERE, DIRECTORY_FLAGS, dir_fd=walk.directory)
    finally:
        os.close(walk.directory)


def real_path(path: Path, trusted: Collection[int]) -> Path:
    """Return where a path leads, provided that only trusted users can redirect it.

    The file itself, if there is one, is not checked. Raises Untrusted or OSError.
    """
    walk = _Walk(trusted)
    try:
        name = walk.down(path.absolute())
        return walk.path / name
    finally:
        os.close(walk.directory)


def find_directory(path: Path, trusted: Collection[int]) -> Path:
    """Return where a directory that only trusted users and groups can create is, or would be.

    It and the directories on its path may be sticky or writable by a group. Where everybody can
    create a directory, only the last one may be missing. Raises Untrusted or OSError.
    """
    walk = _Walk(trusted, allows_groups=True)
    try:
        name = walk.down(path.absolute())
        if name != HERE:
            walk.enter(name)
    except (FileNotFoundError, NotADirectoryError):
        if len(walk.rest) > 1:
            status = os.fstat(walk.directory)
            check(status, walk.path, trusted, allows_groups=True)
        return Path(os.path.normpath(walk.path.joinpath(*walk.rest)))
    else:
        return walk.path
    finally:
        os.close(walk.directory)


def check_file(path: Path, trusted: Collection[int]) -> None:
    """Raise Untrusted if others can change a file, or a directory or link on its path."""
    os.close(open_trusted(path, trusted))


def read_trusted(path: Path, trusted: Collection[int]) -> bytes:
    """Return the contents of a file that only trusted users can change.

    Raises Untrusted or OSError.
    """
    descriptor = open_trusted(path, trusted)
    try:
        return read_opened(descriptor, path)
    finally:
        os.close(descriptor)


def open_trusted(path: Path, trusted: Collection[int]) -> int:
    """Return a descriptor for reading a regular file that only trusted users can change.

    Owner and mode of the opened file are checked, and opening a FIFO does not wait. Raises
    Untrusted or OSError.
    """
    walk = _Walk(trusted)
    try:
        name = walk.down(path.absolute())
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=walk.directory)
    finally:
        os.close(walk.directory)
    try:
        check_regular(os.fstat(descriptor), path, trusted)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_own(path: Path) -> bytes:
    """Return the contents of a file of this user or root that is no link and has only one name.

    Other users may write to its directory, but cannot make us read a file there that they cannot
    read themselves. Raises Untrusted or OSError.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    if path.is_symlink():  # The kernel would report too many levels of links.
        raise Untrusted(f"{path} is a symbolic link", path.lstat().st_uid, path)
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        check_regular(status, path, mine_and_roots())
        if status.st_nlink > 1:
            raise Untrusted(f"{path} has another hard link", status.st_uid, path)
        return read_opened(descriptor, path)
    finally:
        os.close(descriptor)


def check_regular(status: os.stat_result, path: Path, trusted: Collection[int]) -> None:
    """Raise Untrusted if it is not a regular file, or not only trusted users may write to it."""
    if not stat.S_ISREG(status.st_mode):
        raise Untrusted(f"{path} is not a regular file", status.st_uid, path)
    check(status, path, trusted)


def check_directory(status: os.stat_result, path: Path, trusted: Collection[int]) -> None:
    """Raise Untrusted if it is not a directory, or not only trusted users may write to it."""
    if not stat.S_ISDIR(status.st_mode):
        raise Untrusted(f"{path} is not a directory", status.st_uid, path)
    check(status, path, trusted)


def check(
    status: os.stat_result, path: Path, trusted: Collection[int], *, allows_groups: bool = False
) -> None:
    """Raise Untrusted if the owner is not trusted, or if others may write."""
    check_owner(status, path, trusted)
    if status.st_mode & stat.S_IWOTH:
        raise Untrusted(f"{path} is writable by everybody", status.st_uid, path, TrustFault.MODE)
    if status.st_mode & stat.S_IWGRP and status.st_gid != ROOT and not allows_groups:
        group = group_name(status.st_gid)
        why = f"{path} is writable by group {group}"
        raise Untrusted(why, status.st_uid, path, TrustFault.MODE)


def check_owner(status: os.stat_result, path: Path, trusted: Collection[int]) -> None:
    """Raise Untrusted if the owner is not trusted."""
    if status.st_uid not in trusted:
        why = f"{path} belongs to {user_name(status.st_uid)}"
        raise Untrusted(why, status.st_uid, path, TrustFault.OWNER)


class _Walk:
    """Walks down a path, checking each directory; owns the descriptor of the current one."""

    def __init__(self, trusted: Collection[int], *, allows_groups: bool = False) -> None:
        self._trusted = trusted
        self._allows_groups = allows_groups
        self._links = 0
        self.rest: list[str] = []
        """The part of the path that remains below the current directory."""
        self.path = Path("/")
        self.directory = os.open(self.path, STEP_FLAGS)

    def down(self, path: Path) -> str:
        """Walk to the directory in which a path ends, and return the last name in it."""
        self._check_way()
        parts = list(path.parts[1:])
        while parts:
            self.rest = parts.copy()
            part = parts.pop(0)
            led_to = self._link(part)
            if led_to is not None:
                if led_to.is_absolute():
                    self.enter("/")
                parts = [*led_to.relative_to(led_to.anchor).parts, *parts]
            elif parts:
                self.enter(part)
            else:
                return part
        return HERE

    def enter(self, name: str) -> None:
        """Enter a directory that is not a link."""
        inner = os.open(name, STEP_FLAGS, dir_fd=self.directory)
        os.close(self.directory)
        self.directory = inner
        self.path = self.path.parent if name == ABOVE else self.path / name
        self._check_way()

    def _check_way(self) -> None:
        status = os.fstat(self.directory)
        if status.st_mode & stat.S_ISVTX:
            check_owner(status, self.path, self._trusted)
        else:
            check(status, self.path, self._trusted, allows_groups=self._allows_groups)

    def _link(self, name: str) -> Path | None:
        """Return where a link leads; None if it is not a link or does not exist."""
        try:
            status = os.stat(name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISLNK(status.st_mode):
            return None
        check_owner(status, self.path / name, self._trusted)
        self._links += 1
        if self._links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(self.path / name))
        return Path(os.readlink(name, dir_fd=self.directory))


def user_name(uid: int) -> str:
    """Return the name of a user; "user" and the id if it has none."""
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return f"user {uid}"


def group_name(gid: int) -> str:
    """Return the name of a group; its id if it has none."""
    with suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return str(gid)
