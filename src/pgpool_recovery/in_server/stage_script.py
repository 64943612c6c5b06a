"""Check whether a stage script may run: only the server's user and root may be able to change it.

A user who can change a script can do all that the server can. A group may write to it only if it
has no other members. The same holds for each symbolic link and each directory on the path to it, as
with sshd's StrictModes: they must belong to root or us, and no other user may write to them, unless
the sticky bit protects the entries. Directories above the data directory are checked only if the
path leads out of it: the server itself trusts all users who can rename those.
"""

import errno
import os
import stat
from typing import Iterator, Optional

EXECUTABLE_BY_ANYONE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
ROOT = 0
MAX_LINKS = 40  # As many as Linux follows (path_resolution(7)).


class ScriptFault:
    """Why a script may not run: the words after its name in a message, with detail and hint.

    `is_of_filesystem` is whether the cause is the filesystem and not the script.
    """

    def __init__(
        self,
        why: str,
        detail: Optional[str] = None,
        hint: Optional[str] = None,
        *,
        is_of_filesystem: bool = False,
    ) -> None:
        self.why = why
        self.detail = detail
        self.hint = hint
        self.is_of_filesystem = is_of_filesystem


def faults_of_script(
    data_directory: str, name: str, status: os.stat_result
) -> Iterator[ScriptFault]:
    """Yield the reasons why a script of a data directory may not run; `status` is its os.stat().

    Raises OSError when something on the path to it cannot be inspected.
    """
    path = os.path.join(data_directory, name)
    if not stat.S_ISREG(status.st_mode):
        yield ScriptFault("is not a regular file")
    if not _is_trusted(status):
        yield ScriptFault(
            "does not belong to the user of the server",
            "Its owner is user id %d, but the server runs as user id %d."
            % (status.st_uid, os.geteuid()),
            "Change its owner with chown.",
        )
    if is_open(status):
        yield ScriptFault(
            "can be written by others",
            "Its mode is %04o%s." % (stat.S_IMODE(status.st_mode), _group_of(status)),
            'Use "chmod go-w" on it.',
        )
    mode = "Its mode is %04o." % stat.S_IMODE(status.st_mode)
    if not status.st_mode & EXECUTABLE_BY_ANYONE:
        yield ScriptFault("is not executable", mode, 'Use "chmod u+x" on it.')
    elif os.statvfs(path).f_flag & os.ST_NOEXEC:
        yield ScriptFault(
            "cannot be executed",
            "Its filesystem is mounted with the option noexec.",
            "Mount the data directory without noexec.",
            is_of_filesystem=True,
        )
    elif not os.access(path, os.X_OK):
        yield ScriptFault("cannot be executed", mode, 'Use "chmod u+x" on it.')
    for place in places_on_the_way(os.path.realpath(data_directory), name):
        fault = _fault_of_place(os.lstat(place))
        if fault is not None:
            yield ScriptFault(
                "can be replaced by others",
                'On the path to it, "%s" %s.' % (place, fault),
                "Make sure that every directory and link on that path belongs to root or the user "
                "of the server, and that no other user can write to it; or put the script itself "
                "into the data directory.",
            )


def places_on_the_way(data_directory: str, name: str) -> Iterator[str]:
    """Yield the directories and links that determine which file `name` in the data directory is.

    `data_directory` is a real path. Raises OSError when a link is dangling or circular.
    """
    links = 0
    at, rest = data_directory, name.split("/")
    while rest:
        part = rest.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            at = os.path.dirname(at)
            continue
        for directory in _with_those_above(at, data_directory):
            yield directory
        entry = os.path.join(at, part)
        if not stat.S_ISLNK(os.lstat(entry).st_mode):
            at = entry
            continue
        yield entry
        links += 1
        if links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = os.readlink(entry)
        rest = target.split("/") + rest
        at = "/" if target.startswith("/") else at


def _with_those_above(directory: str, data_directory: str) -> Iterator[str]:
    """Yield a directory and those above it, up to the data directory or the root."""
    while True:
        yield directory
        if directory in (data_directory, "/"):
            return
        directory = os.path.dirname(directory)


def _fault_of_place(status: os.stat_result) -> Optional[str]:
    """Return why another user could change or redirect a directory or link; None if none could."""
    if not _is_trusted(status):
        return "belongs to user id %d" % status.st_uid
    is_directory = stat.S_ISDIR(status.st_mode)
    if is_directory and is_open(status) and not status.st_mode & stat.S_ISVTX:
        return "has mode %04o%s" % (stat.S_IMODE(status.st_mode), _group_of(status))
    return None


def is_open(status: os.stat_result) -> bool:
    """Return whether users other than the server's and root may write to a file or directory."""
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not is_own_group(status.st_gid)


def is_own_group(gid: int) -> bool:
    """Return whether a group is the server's user's own, with no other members but root.

    A checkout under umask 0002 leaves files that such a group may write to.
    """
    import grp  # Imported here, since few scripts need it.
    import pwd

    own = os.geteuid()
    try:
        user = pwd.getpwuid(own)
        members = set(grp.getgrgid(gid).gr_mem)
    except KeyError:
        return False
    also = {entry.pw_name for entry in pwd.getpwall() if entry.pw_gid == gid}
    trusted = {entry.pw_name for entry in pwd.getpwall() if entry.pw_uid in (own, ROOT)}
    return gid == user.pw_gid and (members | also) <= trusted


def _group_of(status: os.stat_result) -> str:
    is_of_group = status.st_mode & stat.S_IWGRP and not status.st_mode & stat.S_IWOTH
    return ", and group id %d has other members" % status.st_gid if is_of_group else ""


def _is_trusted(status: os.stat_result) -> bool:
    return status.st_uid in (os.geteuid(), ROOT)
