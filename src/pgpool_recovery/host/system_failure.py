"""What the operating system refuses on this host, said with its cause and what to do about it.

One table for all of it, by errno(3): the same few causes lie behind every write, and the next step
depends on nothing else. A full disk wants room, and says on which filesystem of which host; a
read-only one wants its kernel's log; what belongs to somebody else wants chown.
"""

import errno
import os
import re
import socket
from contextlib import suppress
from pathlib import Path

from pgpool_recovery.domain.error import NoRoom, RecoveryError, Undone
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.files.text import text_of
from pgpool_recovery.files.trust import user_name
from pgpool_recovery.host.filesystem import mount_point_of, nearest_existing

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
WRITING = FULL | {errno.EROFS, errno.EFBIG}
DENIED = frozenset({errno.EACCES, errno.EPERM})
BROKEN = frozenset({errno.EIO, errno.EUCLEAN})
HELD = frozenset({errno.EBUSY, errno.EXDEV})
TOLD = (*sorted(WRITING), errno.EIO)
"""What is recognised in the words of other programs, which run with LC_ALL=C."""
FILE_OF_PROGRAM = re.compile(r"""["'](/[^"']*)["']""")
OF_SERVER = "ERROR:"
"""A line of a program that a server has sent it: what failed, failed on the server's host."""


def failure_of_system(error: OSError, near: Path | None = None) -> RecoveryError:
    """Return the failure that an error of the system ends in: the file, why, and what to do.

    `near` is the directory that is worked on, for an error of a disk that names no file.
    """
    # What a link or a rename makes is the second name; what cannot be moved is the first.
    name = (error.filename2 if error.errno in WRITING else None) or error.filename
    path = None if name is None else Path(text_of(os.fsencode(name)))
    verb = "write" if error.errno in WRITING else "move" if error.errno in HELD else "access"
    if path is not None:
        what = f'could not {verb} "{path}"'
    elif near is not None and error.errno in WRITING | BROKEN:
        what, path = f'could not {verb} what belongs to "{near}"', near
    else:
        what = "a system call failed on the target"
    kind = NoRoom if error.errno in WRITING else Undone
    message = f"{what}: {error.strerror or error}"
    return kind(message, detail=_state_of(error.errno, path), hint=advice(error.errno, path))


def advice(number: int | None, path: Path | None) -> str | None:
    """Return what to do about an error number that a file or a directory was refused with."""
    where, host = _where(path), socket.gethostname()
    if number == errno.ENOSPC:
        return f"Make room on {where} of {host}, then recover the node again."
    if number == errno.EDQUOT:
        user = user_name(os.geteuid())
        return (
            f"Make room on {where} of {host}, or raise the quota of {user} there, then recover the "
            "node again."
        )
    if number == errno.EROFS:
        return (
            f"Look in the kernel's log of {host} (dmesg) for why {where} is read-only, then mount "
            "it for writing and recover the node again."
        )
    if number == errno.EFBIG:
        return f"Raise the limit on the size of a file (ulimit -f) of the user's logins on {host}."
    if number in BROKEN:
        return f"Look in the kernel's log of {host} (dmesg): the disk below {where} may be failing."
    if number in HELD:
        return (
            f"Look whether it is a mount point, or part of an image, on {host} (findmnt, lsof); "
            "what cannot be moved cannot be replaced."
        )
    return _who(path, host) if number in DENIED else None


def failure_of_program(message: str, output: str) -> RecoveryError:
    """Return the failure of a program, with what to do where its last words are of this kind."""
    for line in reversed(output.split("\n")):
        number = next((number for number in TOLD if os.strerror(number) in line), None)
        if number is not None:
            kind = NoRoom if number in WRITING else Undone
            return kind(message, hint=_advice_on_line(number, line))
    return Undone(message)


def advice_on_log(text: str, data_directory: Path) -> str | None:
    """Return what to do about the disk, when that is what a server's log ends with."""
    for line in reversed(text.split("\n")):
        number = next((number for number in WRITING if os.strerror(number) in line), None)
        if number is not None:
            return advice(number, data_directory / "pg_wal" if "pg_wal" in line else data_directory)
    return None


def _advice_on_line(number: int, line: str) -> str | None:
    if OF_SERVER in line:
        return "That is of the primary: look at its disk, then recover the node again."
    file = FILE_OF_PROGRAM.search(line)
    return advice(number, None if file is None else Path(file[1]))


def _state_of(number: int | None, path: Path | None) -> str | None:
    """Return what is free, when that was too little."""
    if number != errno.ENOSPC or path is None:
        return None
    try:
        status = os.statvfs(nearest_existing(path))
    except OSError:
        return None
    where = f"{_where(path)} of {socket.gethostname()}"
    if status.f_files and not status.f_favail:
        return f"No inode is free on {where}."
    return f"{pretty_size(status.f_bavail * status.f_frsize)} are free on {where}."


def _where(path: Path | None) -> str:
    if path is None:
        return "the filesystem"
    try:
        return f"the filesystem mounted at {mount_point_of(path)}"
    except OSError:
        return f"the filesystem of {path}"


def _who(path: Path | None, host: str) -> str | None:
    """Return whose it is, when that is why the agent's user may not touch it."""
    if path is None:
        return None
    user = user_name(os.geteuid())
    with suppress(OSError):
        for each in (path, path.parent):
            if os.path.lexists(each) and each.lstat().st_uid != os.geteuid():
                owner = user_name(each.lstat().st_uid)
                return (
                    f"{each} belongs to {owner}, and the agent runs as {user}: if it is part of "
                    f"the node, give it to {user} on {host} (chown)."
                )
    return f"The agent runs as {user} on {host}: look at the modes on the way to {path} (namei -l)."
