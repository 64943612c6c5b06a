"""What the target's server reports while it runs."""

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import History, Lsn, TimelineId
from pgpool_recovery.facts.leftover import Leftover

RELOADED = ("primary_conninfo", "primary_slot_name")
"""The settings that point a standby at its primary; a reload applies them (PostgreSQL 13)."""


@record
class RunningServer:
    """A server of the target that answers; `login` is the connection string for its own host.

    `timeline` is the newest one of which it has WAL, and `histories` are its history files of that
    timeline and of newer ones. `receiving` is the timeline on which it streams now. `received` and
    `replayed` are how far it has come; `received` is not known until it has replayed all the WAL
    that it had when it started. `is_torn`: the WAL that it received past the point where the
    primary left that timeline is not a whole record, so replay can never pass that point. `sources`
    says where the value of each setting of `RELOADED` comes from, if its user may see that.
    `has_receiver`: it has a WAL receiver now.
    """

    login: dict[str, str]
    is_in_recovery: bool
    is_paused: bool
    timeline: TimelineId
    histories: tuple[History, ...]
    receiving: TimelineId | None
    received: Lsn | None
    replayed: Lsn | None
    is_torn: bool
    recovery_target_timeline: str
    sources: dict[str, str]
    leftovers: tuple[Leftover, ...] = ()
    has_receiver: bool = True


@record
class Silent:
    """A server that runs, but does not answer."""

    problem: str


Running = RunningServer | Silent
