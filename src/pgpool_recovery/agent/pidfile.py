"""What postmaster.pid says of a running server."""

from dataclasses import dataclass
from pathlib import Path

NAME = "postmaster.pid"
LINES = 8  # src/include/utils/pidfile.h
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
    postmaster's working directory is its data directory.
    """
    try:
        lines = (data_directory / NAME).read_text().split("\n")
    except FileNotFoundError:
        return None
    if not lines[0].lstrip("-").isdigit() or not _is_server_of(abs(int(lines[0])), data_directory):
        return None
    lines += [""] * (LINES - len(lines))
    return PidFile(
        pid=abs(int(lines[0])),
        port=int(lines[3] or 0),
        host=lines[4] or ("localhost" if lines[5] in ("*", "") else lines[5]),
        is_ready=lines[7].strip() in READY,
    )


def _is_server_of(pid: int, data_directory: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").samefile(data_directory)
    except FileNotFoundError:
        return False
    except PermissionError:
        return False  # Another user's process: a server belongs to the owner of its directory.
