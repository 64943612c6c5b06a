"""Find a stage script in the data directory, or say why it cannot be run."""

import errno
import os
import shlex
import stat
from typing import Dict, Iterator, Optional

from .outcome import Failure

EXECUTABLE_BY_ANYONE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
ROOT = 0
MAX_LINKS = 40  # As many as Linux follows (path_resolution(7)).
OURS = b"\n# Part of pgpool-recovery."  # As install/stage_commands.py writes it.
MARK_WITHIN_BYTES = 1024


class Script:
    """A script that may run: its path in the data directory, and which file that has to be.

    `is_ours`: it is one of our stage commands, as `pgpool-recovery install` puts them in place.
    """

    def __init__(self, path: str, status: os.stat_result) -> None:
        self.path = path
        self.identity = (status.st_dev, status.st_ino)
        self.is_ours = _begin_of(path).find(OURS) >= 0


def find_script(data_directory: str, name: str) -> Script:
    """Return the script `name`.

    Raises Failure when `name` leads out of the data directory, or the file is not an executable
    that only the server's user and root can change: whoever may do that may do all that the server
    may. A group may that has no other member than these. So
    the same holds for each symbolic link on the way, and each directory that holds one of its
    parts, as sshd's StrictModes has it: root's or ours, and written by nobody else, unless its
    entries are their owners' alone (the sticky bit). Above the data directory a path that leads
    out of it is looked at, and no other: there the server itself trusts whoever may rename it.

    The script is executed by its path, as users know it as $0: "#!" hands a path to the
    interpreter, and that of an open file would be one in /proc. Who could exchange it between the
    look and that is refused here; that it is still this file is looked at once more just before.
    """
    if not is_inside(name):
        raise Failure(
            'script name "%s" is no path inside the data directory' % name,
            detail="A script is named as it is found from the data directory, and runs there.",
            hint='Put the script into "%s" and name it in pgpool.conf without a path.'
            % data_directory,
        )
    path = os.path.join(data_directory, name)
    status = _status(path)
    _check_status(path, status)
    _check_way(path, os.path.realpath(data_directory), name)
    return Script(path, status)


def is_inside(name: str) -> bool:
    """Say whether a name leads to a file of the data directory, be it in a directory there.

    >>> is_inside("stage"), is_inside("scripts/stage"), is_inside("scripts/../stage")
    (True, True, False)
    >>> is_inside("/bin/true"), is_inside(""), is_inside("scripts/")
    (False, False, False)
    """
    return not {"", ".", ".."}.intersection(name.split("/"))


def _begin_of(path: str) -> bytes:
    try:
        with open(path, "rb") as script:
            return script.read(MARK_WITHIN_BYTES)
    except OSError:
        return b""  # Executable and not readable: none of ours is.


def _status(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except FileNotFoundError:
        raise Failure(
            'script "%s" does not exist' % path,
            hint="Check the name in pgpool.conf; if it is right, run as the owner of the data "
            "directory: pgpool-recovery install --data-directory %s"
            % shlex.quote(os.path.dirname(path)),
        )
    except OSError as error:
        raise Failure('could not stat script "%s": %s' % (path, error.strerror or error))


def _check_status(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Failure('script "%s" is not a regular file' % path)
    if not _is_trusted(status):
        raise Failure(
            'script "%s" does not belong to the user of the server' % path,
            detail="Its owner is user id %d, the server runs as user id %d."
            % (status.st_uid, os.geteuid()),
            hint="Change its owner with chown.",
        )
    if is_open(status):
        raise Failure(
            'script "%s" can be written by others' % path,
            detail="Its mode is %04o%s." % (stat.S_IMODE(status.st_mode), _group_of(status)),
            hint='Use "chmod go-w" on it.',
        )
    if not status.st_mode & EXECUTABLE_BY_ANYONE:
        raise Failure(
            'script "%s" is not executable' % path,
            detail="Its mode is %04o." % stat.S_IMODE(status.st_mode),
            hint='Use "chmod u+x" on it.',
        )
    if not os.access(path, os.X_OK):
        raise Failure('script "%s" cannot be executed' % path, **_why_not_executable(path, status))


def _check_way(path: str, data_directory: str, name: str) -> None:
    """Raise Failure when somebody else can change what the path leads to."""
    try:
        for place in places_on_the_way(data_directory, name):
            fault = _fault_of(os.lstat(place))
            if fault is not None:
                raise Failure(
                    'script "%s" can be replaced by others' % path,
                    detail='On its way, "%s" %s.' % (place, fault),
                    hint="Have every directory and link on the way to it belong to root or the "
                    "user of the server, and nobody else write to one, or put the script itself "
                    "into the data directory.",
                )
    except OSError as error:
        raise Failure('could not stat script "%s": %s' % (path, error.strerror or error))


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


def _fault_of(status: os.stat_result) -> Optional[str]:
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


def _why_not_executable(path: str, status: os.stat_result) -> Dict[str, str]:
    if os.statvfs(path).f_flag & os.ST_NOEXEC:
        return {
            "detail": "Its filesystem is mounted with the option noexec.",
            "hint": "Mount the data directory without noexec.",
        }
    return {
        "detail": "Its mode is %04o." % stat.S_IMODE(status.st_mode),
        "hint": 'Use "chmod u+x" on it.',
    }
