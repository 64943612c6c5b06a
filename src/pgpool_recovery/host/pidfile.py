"""What postmaster.pid says of a running server."""

import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.files.text import text_of
from pgpool_recovery.files.trust import Untrusted, check_regular, mine_and_roots
from pgpool_recovery.host.way import open_trusted_directory

NAME = "postmaster.pid"
LINES = 8  # src/include/utils/pidfile.h
MAX_BYTES = 8192  # Eight lines, of which two are paths.
PID, PORT = re.compile(r"-?[0-9]{1,10}"), re.compile(r"[0-9]{1,5}")
READY = ("ready", "standby")


@dataclass(frozen=True)
class PidFile:
    """A server that runs: its process, where it listens, and whether it accepts connections."""

    pid: int
    port: int
    host: str
    is_ready: bool


def read_pid_file(data_directory: Path) -> PidFile | None:
    """Return the running server of a data directory, or None.

    A file that a crash left names a process that is gone, or by now is another program: the
    postmaster's working directory is its data directory. We log in where the file says, so that
    Refused is raised when somebody else can have written it.
    """
    try:
        directory = open_trusted_directory(data_directory)
    except FileNotFoundError:
        return None
    try:
        found = parse_pid_file(_read(directory, data_directory / NAME))
        is_running = found is not None and _is_server_of(found.pid, directory)
    except FileNotFoundError:
        return None
    finally:
        os.close(directory)
    return found if is_running else None


def parse_pid_file(text: str) -> PidFile | None:
    """Read the file's lines, of which a server that starts has not all; None when it names none."""
    lines = text.split("\n")
    if PID.fullmatch(lines[0]) is None:
        return None
    lines += [""] * (LINES - len(lines))
    port = int(lines[3]) if PORT.fullmatch(lines[3]) else 0
    return PidFile(
        pid=abs(int(lines[0])),
        port=port,
        host=lines[4] or ("localhost" if lines[5] in ("*", "") else lines[5]),
        is_ready=port > 0 and lines[7].strip() in READY,
    )


def _read(directory: int, path: Path) -> str:
    """Return what is in the file; a FIFO, or another user's file, is not read."""
    try:
        with os.fdopen(_open(directory), "rb") as file:
            check_regular(os.fstat(file.fileno()), path, mine_and_roots())
            return text_of(file.read(MAX_BYTES))
    except Untrusted as untrusted:
        raise _no_server_wrote(path, untrusted.why) from untrusted
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _no_server_wrote(path, f"{path} is a symbolic link") from error
        raise


def _open(directory: int) -> int:
    """Open it in a directory; nobody is waited for."""
    return os.open(
        NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory
    )


def _no_server_wrote(path: Path, why: str) -> Refused:
    return Refused(
        why, detail="No server of this user has written it.", hint=f"Look at {path}, and remove it."
    )


def _is_server_of(pid: int, directory: int) -> bool:
    try:
        return os.path.samestat(Path(f"/proc/{pid}/cwd").stat(), os.fstat(directory))
    except FileNotFoundError:
        return False
    except PermissionError:
        return False  # Another user's process: a server belongs to the owner of its directory.
