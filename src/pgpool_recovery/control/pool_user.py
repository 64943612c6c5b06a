"""As whom Pgpool-II runs on this host: its hooks have that user's password files."""

import os
import pwd
from pathlib import Path

from pgpool_recovery.files.text import read_text

PROCESSES = Path("/proc")
PROGRAM = "pgpool"


def pool_users(processes: Path = PROCESSES) -> frozenset[int]:
    """Return the users of the processes of this host that are called pgpool."""
    found = set[int]()
    for comm in processes.glob("[0-9]*/comm"):
        try:
            if read_text(comm).strip() == PROGRAM:
                found.add(comm.parent.stat().st_uid)
        except OSError:  # It has ended, or is somebody else's.
            continue
    return frozenset(found)


def is_pool_user() -> bool:
    """Say whether a Pgpool-II of this host runs as the user who runs this."""
    return os.geteuid() in pool_users()


def name_of(uid: int) -> str:
    """Return a user's name, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
