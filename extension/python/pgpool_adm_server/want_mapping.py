"""Note whose user mapping the following call needs, with the rights of its caller."""

from pgpool_recovery_server.session import Session

from server_types import Memory, Plpy

from .user_mapping import take_found, want


def want_mapping(plpy: Plpy, session: Memory, shared: Memory, server_name: str) -> None:
    """Leave the foreign server and the caller in the memory of the session, for read_mapping()."""
    take_found(shared)  # Discard what was read for another call.
    want(Session(plpy, session), shared, server_name)
