"""What the target's server says of itself while it runs."""

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import History, Lsn, TimelineId
from pgpool_recovery.facts.leftover import Leftover

RELOADED = ("primary_conninfo", "primary_slot_name")
"""What leads a standby to its primary, and takes effect by a reload (since PostgreSQL 13)."""


@record
class RunningServer:
    """A server of the target that answers; `login` is how its host gets in.

    `timeline` is the newest of which it has WAL, `histories` what it has of that and of newer ones.
    `receiving` is the timeline on which it streams now. `received` and `replayed` are how far it
    came: the first is not known before it has replayed all the WAL that it had when it started.
    `is_torn`: what it has received past the point where the primary left that timeline is no whole
    record, so that replay can never pass that point. `sources` says for each setting of `RELOADED`
    that its user may see where the value comes from. `has_receiver`: it has a WAL receiver now.
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
    """A server that runs, and does not answer."""

    problem: str


Running = RunningServer | Silent
