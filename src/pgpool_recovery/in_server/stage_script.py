"""Which files run as a stage script: executable, and changed by the server's user and root alone.

Whoever may change one may do all that the server may. A group may that has no other member than
these. So the same holds for each symbolic link on the way, and each directory that holds one of its
parts, as sshd's StrictModes has it: root's or ours, and written by nobody else, unless its entries
are their owners' alone (the sticky bit). Above the data directory a path that leads out of it is
looked at, and no other: there the server itself trusts whoever may rename it.
"""

import errno
import os
import stat
from typing import Iterator, Optional

EXECUTABLE_BY_ANYONE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
ROOT = 0
MAX_LINKS = 40  # As many as Linux follows (path_resolution(7)).


class ScriptFault:
    """Why a script does not run: what follows its name in a message, and what helps.

    `is_of_filesystem`: not the script's own.
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
    """Yield what speaks against a script of a data directory, by its name and its os.stat().

    Raises OSError when something on the way cannot be looked at.
    """
    path = os.path.join(data_directory, name)
    if not stat.S_ISREG(status.st_mode):
        yield ScriptFault("is not a regular file")
    if not _is_trusted(status):
        yield ScriptFault(
            "does not belong to the user of the server",
            "Its owner is user id %d, the server runs as user id %d."
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
                'On its way, "%s" %s.' % (place, fault),
                "Have every directory and link on the way to it belong to root or the user of the "
                "server, and nobody else write to one, or put the script itself into the data "
                "directory.",
            )


def places_on_the_way(data_directory: str, name: str) -> Iterator[str]:
    """Yield the directories and links that decide which file `name` in the data directory is.

    `data_directory` is a real path. Raises OSError when a link leads nowhere, or in a circle.
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
    """Yield a directory and those that hold it, up to the data directory or the root."""
    while True:
        yield directory
        if directory in (data_directory, "/"):
            return
        directory = os.path.dirname(directory)


def _fault_of_place(status: os.stat_result) -> Optional[str]:
    """Return what lets somebody else decide where a directory or a link on the way leads."""
    if not _is_trusted(status):
        return "belongs to user id %d" % status.st_uid
    is_directory = stat.S_ISDIR(status.st_mode)
    if is_directory and is_open(status) and not status.st_mode & stat.S_ISVTX:
        return "has mode %04o%s" % (stat.S_IMODE(status.st_mode), _group_of(status))
    return None


def is_open(status: os.stat_result) -> bool:
    """Say whether others than the server's user and root may write to a file or a directory."""
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not is_own_group(status.st_gid)


def is_own_group(gid: int) -> bool:
    """Say whether a group is the server's user's own, and has no other member but root.

    A checkout under umask 0002 leaves files that such a group may write.
    """
    import grp  # Here, because few scripts are like that.
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
