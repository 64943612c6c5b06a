"""Read the postmaster.pid of a running server, after checking who can have written it."""

import errno
import os
from pathlib import Path

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.files.text import read_opened, text_of
from pgpool_recovery.files.trust import Untrusted, check_regular, mine_and_roots
from pgpool_recovery.host.way import open_trusted_directory
from pgpool_recovery.in_server.pid_file import (
    PID_FILE_MAX_BYTES,
    PID_FILE_NAME,
    PidFile,
    is_server_of,
    parse_pid_file,
)

__all__ = ["PidFile", "read_pid_file"]

NOT_OF_A_SERVER = {errno.ELOOP: "is a symbolic link", errno.EFBIG: "is too long"}


def read_pid_file(data_directory: Path) -> PidFile | None:
    """Return the running server of a data directory, or None.

    We log in where the file says, so Refused is raised when another user may have written it.
    """
    try:
        directory = open_trusted_directory(data_directory)
    except FileNotFoundError:
        return None
    try:
        found = parse_pid_file(_read(directory, data_directory / PID_FILE_NAME))
        is_running = found is not None and is_server_of(found.pid, directory)
    except FileNotFoundError:
        return None
    finally:
        os.close(directory)
    return found if is_running else None


def _read(directory: int, path: Path) -> str:
    """Return the contents of the file; refuse a FIFO and another user's file."""
    try:
        descriptor = _open(directory)
        try:
            check_regular(os.fstat(descriptor), path, mine_and_roots())
            return text_of(read_opened(descriptor, path, PID_FILE_MAX_BYTES))
        finally:
            os.close(descriptor)
    except Untrusted as untrusted:
        raise _no_server_wrote(path, untrusted.why) from untrusted
    except OSError as error:
        if error.errno in NOT_OF_A_SERVER:
            raise _no_server_wrote(path, f"{path} {NOT_OF_A_SERVER[error.errno]}") from error
        raise


def _open(directory: int) -> int:
    """Open the file in a directory, without following a link or blocking on a FIFO."""
    return os.open(
        PID_FILE_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory
    )


def _no_server_wrote(path: Path, why: str) -> Refused:
    return Refused(
        why, detail="No server of this user has written it.", hint=f"Inspect {path} and remove it."
    )
