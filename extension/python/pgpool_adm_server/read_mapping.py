"""Read the user mapping that a call is waiting for, with the rights of a superuser."""

from pgpool_recovery_server.session import Session

from server_types import Memory, Plpy

from .user_mapping import find_wanted


def read_mapping(plpy: Plpy, session: Memory, shared: Memory) -> None:
    """Leave what was found in the memory of the session, for the call that is waiting for it."""
    find_wanted(Session(plpy, session), shared)
