"""What postmaster.pid says of a server that runs (src/include/utils/pidfile.h)."""

import os
import re
from typing import Optional, Union

PID_FILE_NAME = "postmaster.pid"
PID_FILE_MAX_BYTES = 8192  # Two paths, and six short lines.
PID_FILE_LINES = 8
PID, PORT = re.compile(r"-?[0-9]{1,10}"), re.compile(r"[0-9]{1,5}")
READY = ("ready", "standby")  # PM_STATUS_READY, PM_STATUS_STANDBY.


class PidFile:
    """A server that runs: its process, where it listens, and whether it accepts connections.

    `host` is in libpq's terms: the directory of a socket, or a name. No NamedTuple: it would cost
    the import of typing in each new session of a server.
    """

    def __init__(self, pid: int, port: int, host: str, *, is_ready: bool) -> None:
        self.pid = pid
        self.port = port
        self.host = host
        self.is_ready = is_ready


def parse_pid_file(text: str) -> Optional[PidFile]:
    r"""Read the file's lines, of which a server that starts has not all; None when it names none.

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
    """Say whether a process is the server of a data directory: a postmaster works in its own.

    `directory` is its path, or a descriptor of it. The file of a crash names a process that is
    gone, or by now is another program; somebody else's cannot be looked at, and is not the owner's.
    """
    try:
        return os.path.samestat(os.stat(b"/proc/%d/cwd" % pid), os.stat(directory))
    except OSError:
        return False
