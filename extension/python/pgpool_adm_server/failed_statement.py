"""Return the statement of a failed call in the form that may be logged."""

from typing import Optional

from pgpool_recovery_server.session import Session

from server_types import Memory, Plpy

from .typed_password import forget_password, statement_without


def failed_statement(plpy: Plpy, session: Memory, shared: Memory) -> Optional[str]:
    """Return the statement without the password of the call that has just failed.

    None when it had no password. Only the function that raises the error may call this.
    """
    caller = Session(plpy, session)
    password = forget_password(caller, shared)
    return None if password is None else statement_without(caller, password)
