"""The user that Pgpool-II runs as on this host, whose password files its hooks use."""

import os
import pwd
from pathlib import Path

from pgpool_recovery.files.process_table import PROCESSES, processes

PROGRAM = "pgpool"


def pool_users(table: Path = PROCESSES) -> frozenset[int]:
    """Return the user ids of the processes of this host that are named pgpool."""
    called = (one for one in processes(table) if one.text("comm").strip() == PROGRAM)
    return frozenset(owner for owner in (one.owner for one in called) if owner is not None)


def is_pool_user() -> bool:
    """Return whether a Pgpool-II on this host runs as the current user."""
    return os.geteuid() in pool_users()


def name_of(uid: int) -> str:
    """Return a user's name, or the user id if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
