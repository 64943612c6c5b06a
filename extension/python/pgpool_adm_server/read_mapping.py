"""Read the user mapping that a call waits for, with the rights of a superuser."""

from pgpool_recovery_server.session import Session

from .user_mapping import FOUND, MAPPING, WANTED


def read_mapping(plpy, session, shared):
    """Leave what was found in the memory of the session, for the call that waits for it."""
    wanted = shared.pop(WANTED, None)
    if wanted is not None:
        shared[FOUND] = list(Session(plpy, session).query("mapping", MAPPING, ["text"] * 2, wanted))
