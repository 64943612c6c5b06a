"""What the worker that synchronises failover slots needs on a standby (PostgreSQL 17 and later).

It opens an SQL connection with primary_conninfo, which must name a database for that
(CheckAndGetDbnameFromConninfo in src/backend/replication/logical/slotsync.c). Without one it fails
with an ERROR at each try, while the standby streams. Replication itself ignores the keyword
(libpqrcv_connect), and so do releases before 17.
"""

from collections.abc import Iterator

from pgpool_recovery.facts.facts import Conninfo, Facts, Login
from pgpool_recovery.plan.login import choose_login

OLDEST_MAJOR = 17
SETTING = "sync_replication_slots"
NO_DATABASE = "replication"
"""The name that stands for no database in a password file and in pg_hba.conf."""
ENDS_A_NAME = ("=", "://")
"""Where libpq expects a database name, these make it parse the word as a connection string."""


def wants_database(facts: Facts) -> bool:
    """Return whether slots are, or may be, synchronised to the target.

    A target that has no configuration of its own gets the primary's.
    """
    primary, own = facts.primary, facts.target.configuration
    if primary.major < OLDEST_MAJOR:
        return False
    is_on = primary.syncs_slots if own is None else own.values.get(SETTING) == "on"
    return is_on or any(slot.is_failover for slot in primary.slots)


def slot_login_candidates(facts: Facts, *, dbname: str) -> tuple[Conninfo, ...]:
    """Return the SQL connections to try: to the database of the node's conninfo, then to ours.

    The worker reads only what is common to all databases, so any database that admits the role
    will do.
    """
    login = choose_login(facts.logins, facts.primary)
    if login is None or not wants_database(facts):
        return ()
    own = facts.target.configuration
    named = None if own is None else own.primary_conninfo.get("dbname")
    names = [name for name in (named, dbname) if name is not None and _is_name(name)]
    return tuple({**login.conninfo, "dbname": name} for name in dict.fromkeys(names))


def database(facts: Facts) -> str | None:
    """Return the database for primary_conninfo: one that works, or the first that was tried."""
    if not facts.slot_logins:
        return None
    return (_working(facts) or facts.slot_logins[0]).conninfo["dbname"]


def notes_on_sync(
    name: str, slot_name: str, former_slot_name: str | None, facts: Facts
) -> Iterator[str]:
    """Report what will keep slots from being synchronised, or from being decoded."""
    if facts.slot_logins and _working(facts) is None:
        tried = facts.slot_logins[0]
        yield (
            f"failover slots will not be synchronised to {name}: {tried.conninfo['user']} cannot "
            f"log in to database {tried.conninfo['dbname']} of the primary "
            f"({' '.join((tried.problem or 'it belongs to another cluster').split())})"
        )
    awaited = facts.primary.awaited_slots
    if former_slot_name in awaited and slot_name not in awaited:
        yield renamed(name, slot_name, former_slot_name or "")


def renamed(name: str, slot_name: str, former_slot_name: str) -> str:
    """Return the consequence of a new slot name if the primary waits for the former slot."""
    return (
        f"synchronized_standby_slots of the primary names {former_slot_name}, but {name} now uses "
        f"{slot_name}: logical decoding of failover slots waits until {slot_name} is named there "
        "instead"
    )


def _working(facts: Facts) -> Login | None:
    return choose_login(facts.slot_logins, facts.primary)


def _is_name(name: str) -> bool:
    return bool(name) and name != NO_DATABASE and not any(end in name for end in ENDS_A_NAME)
