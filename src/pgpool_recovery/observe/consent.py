"""Read from the names of sessions on the primary what was agreed to (plan/agreement.py)."""

from pgpool_recovery.domain.node import Target
from pgpool_recovery.facts.policy import Policy
from pgpool_recovery.plan.agreement import (
    AGREED,
    ASKS,
    CALLS,
    LOCK_CLASS,
    PROGRAM,
    Agreement,
    read_name,
    session_name,
    unattended,
)
from pgpool_recovery.postgres.connection import Connection

UNHEARD = "no session of a role that may call pgpool_recovery has asked for it on the primary"


def why_unbound(connection: Connection, target: Target) -> str | None:
    """Return why an agreement for this target would not be recognised; None if it would be."""
    asking = session_name(ASKS, target)
    is_heard = any(name == asking for _pid, name, _role in _sessions(connection, ASKS))
    return None if is_heard else UNHEARD


def agreement_for(
    connection: Connection, target: Target, policy: Policy, caller: int | None
) -> Agreement:
    """Return what was agreed to for the run that begins, or what the policy allows unattended.

    The session that calls the run speaks for this run only. An agreement that waits for Pgpool-II
    to make the call is used once: its session withdraws it when it sees our lock.
    """
    for pid, name, role in _sessions(connection, CALLS):
        harm = read_name(name, CALLS, target)
        if harm is not None and pid == caller:
            return Agreement(harm, role)
    for pid, name, role in _sessions(connection, AGREED):
        harm = read_name(name, AGREED, target)
        if harm is not None:
            connection.row("agreement_read", **{"class": LOCK_CLASS, "pid": pid})
            return Agreement(harm, role)
    return unattended(policy)


def _sessions(connection: Connection, kind: str) -> list[tuple[int, str, str]]:
    rows = connection.rows("agreements", head=f"{PROGRAM} {kind} ")
    return [(row["pid"], row["application_name"], row["role"]) for row in rows]
