"""As whom Pgpool-II runs on this host: its hooks have that user's password files."""

import os
import pwd
from pathlib import Path

from pgpool_recovery.files.process_table import PROCESSES, processes

PROGRAM = "pgpool"


def pool_users(table: Path = PROCESSES) -> frozenset[int]:
    """Return the users of the processes of this host that are called pgpool."""
    called = (one for one in processes(table) if one.text("comm").strip() == PROGRAM)
    return frozenset(owner for owner in (one.owner for one in called) if owner is not None)


def is_pool_user() -> bool:
    """Say whether a Pgpool-II of this host runs as the user who runs this."""
    return os.geteuid() in pool_users()


def name_of(uid: int) -> str:
    """Return a user's name, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
