"""Parse the postmaster.pid of a running server (src/include/utils/pidfile.h)."""

import os
import re
from typing import Optional, Union

PID_FILE_NAME = "postmaster.pid"
PID_FILE_MAX_BYTES = 8192  # Two paths, and six short lines.
PID_FILE_LINES = 8
PID, PORT = re.compile(r"-?[0-9]{1,10}"), re.compile(r"[0-9]{1,5}")
READY = ("ready", "standby")  # PM_STATUS_READY, PM_STATUS_STANDBY.


class PidFile:
    """A running server: its process ID, where it listens, and whether it accepts connections.

    `host` is as in libpq the directory of a socket, or a name. This is not a NamedTuple, which
    would need the import of typing in each new session of a server.
    """

    def __init__(self, pid: int, port: int, host: str, *, is_ready: bool) -> None:
        self.pid = pid
        self.port = port
        self.host = host
        self.is_ready = is_ready


def parse_pid_file(text: str) -> Optional[PidFile]:
    r"""Parse the file, which lacks some lines while the server starts; None if it names no server.

    >>> vars(parse_pid_file("4711\n/data\n1795852800\n5432\n/run\n*\n 1 2\nready   \n"))
    {'pid': 4711, 'port': 5432, 'host': '/run', 'is_ready': True}
    >>> vars(parse_pid_file("4711\n/data\n"))
    {'pid': 4711, 'port': 0, 'host': 'localhost', 'is_ready': False}
    """
    lines = text.split("\n")
    if PID.fullmatch(lines[0]) is None or "\0" in text:
        return None
    lines += [""] * (PID_FILE_LINES - len(lines))
    port = int(lines[3]) if PORT.fullmatch(lines[3]) else 0
    return PidFile(
        pid=abs(int(lines[0])),
        port=port,
        host=lines[4] or ("localhost" if lines[5] in ("*", "") else lines[5]),
        is_ready=port > 0 and lines[7].strip() in READY,
    )


def is_server_of(pid: int, directory: Union[bytes, int]) -> bool:
    """Return whether a process is the server of a data directory, by its working directory.

    `directory` is the path, or a descriptor. After a crash the file names a process that is gone,
    or is another program by now. Another user's process cannot be inspected, and is not the
    server of this one.
    """
    try:
        return os.path.samestat(os.stat(b"/proc/%d/cwd" % pid), os.stat(directory))
    except OSError:
        return False
