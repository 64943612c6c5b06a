"""Translate an error of the operating system into a failure with its cause and a hint.

All errors are handled here, by errno(3), since any write can fail for the same few causes, and the
hint depends on nothing else. It names the filesystem and host of a full disk, refers to the
kernel's log for a read-only one, and to chown for another user's file.
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
"""What is recognised in the messages of other programs, which run with LC_ALL=C."""
FILE_OF_PROGRAM = re.compile(r"""["'](/[^"']*)["']""")
OF_SERVER = "ERROR:"
"""What marks a message of the server in a program's output: it failed on the server's host."""


def failure_of_system(error: OSError, near: Path | None = None) -> RecoveryError:
    """Return the failure for an error of the system: the file, the reason, and a hint.

    `near` is the directory in use, for a disk error that names no file.
    """
    # Of a link or a rename, the second name is the one to be created, the first the one to move.
    name = (error.filename2 if error.errno in WRITING else None) or error.filename
    path = None if name is None else Path(text_of(os.fsencode(name)))
    verb = "write" if error.errno in WRITING else "move" if error.errno in HELD else "access"
    if path is not None:
        what = f'could not {verb} "{path}"'
    elif near is not None and error.errno in WRITING | BROKEN:
        what, path = f'could not {verb} a file of "{near}"', near
    else:
        what = "a system call failed on the target"
    kind = NoRoom if error.errno in WRITING else Undone
    message = f"{what}: {error.strerror or error}"
    return kind(message, detail=_state_of(error.errno, path), hint=advice(error.errno, path))


def advice(number: int | None, path: Path | None) -> str | None:
    """Return a hint for an error number, with which an operation on the path has failed."""
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
            f"Check the kernel's log of {host} (dmesg) for why {where} is read-only, then mount "
            "it for writing and recover the node again."
        )
    if number == errno.EFBIG:
        return f"Raise the limit on the size of a file (ulimit -f) for the user's logins on {host}."
    if number in BROKEN:
        return f"Check the kernel's log of {host} (dmesg): the disk below {where} may be failing."
    if number in HELD:
        return (
            f"Check on {host} whether it is a mount point or part of an image (findmnt, lsof); "
            "what cannot be moved cannot be replaced."
        )
    return _who(path, host) if number in DENIED else None


def failure_of_program(message: str, output: str) -> RecoveryError:
    """Return the failure of a program, with a hint when its output ends with such an error."""
    for line in reversed(output.split("\n")):
        number = next((number for number in TOLD if os.strerror(number) in line), None)
        if number is not None:
            kind = NoRoom if number in WRITING else Undone
            return kind(message, hint=_advice_on_line(number, line))
    return Undone(message)


def advice_on_log(text: str, data_directory: Path) -> str | None:
    """Return a hint about the disk when a server's log ends with such an error."""
    for line in reversed(text.split("\n")):
        number = next((number for number in WRITING if os.strerror(number) in line), None)
        if number is not None:
            return advice(number, data_directory / "pg_wal" if "pg_wal" in line else data_directory)
    return None


def _advice_on_line(number: int, line: str) -> str | None:
    if OF_SERVER in line:
        return "The error is on the primary: check its disk, then recover the node again."
    file = FILE_OF_PROGRAM.search(line)
    return advice(number, None if file is None else Path(file[1]))


def _state_of(number: int | None, path: Path | None) -> str | None:
    """Return how much is free when that was too little; else None."""
    if number != errno.ENOSPC or path is None:
        return None
    try:
        status = os.statvfs(nearest_existing(path))
    except OSError:
        return None
    where = f"{_where(path)} of {socket.gethostname()}"
    if status.f_files and not status.f_favail:
        return f"No inode is free on {where}."
    return f"{pretty_size(status.f_bavail * status.f_frsize)} is free on {where}."


def _where(path: Path | None) -> str:
    if path is None:
        return "the filesystem"
    try:
        return f"the filesystem mounted at {mount_point_of(path)}"
    except OSError:
        return f"the filesystem of {path}"


def _who(path: Path | None, host: str) -> str | None:
    """Return who owns the path, if that is why the agent may not use it, or where else to look."""
    if path is None:
        return None
    user = user_name(os.geteuid())
    with suppress(OSError):
        for each in (path, path.parent):
            if os.path.lexists(each) and each.lstat().st_uid != os.geteuid():
                owner = user_name(each.lstat().st_uid)
                return (
                    f"{each} belongs to {owner}, and the agent runs as {user}. If it is part of "
                    f"the node, change its owner to {user} on {host} (chown)."
                )
    return f"The agent runs as {user} on {host}. Check the permissions along {path} (namei -l)."
