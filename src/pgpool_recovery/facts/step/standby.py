"""The steps that make what is on the target a standby of this primary, with the WAL it needs."""

from typing import ClassVar

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import Point, TimelineId
from pgpool_recovery.facts.archived_wal import FromArchive
from pgpool_recovery.facts.backup import Backup
from pgpool_recovery.facts.facts import Conninfo
from pgpool_recovery.facts.step.place import Places, Touches


@record
class CreateSlot:
    """Create a physical slot that reserves WAL at once, or use an existing one.

    `hold_from`: the slot must also retain the existing WAL from this position on.
    """

    touches: ClassVar[Touches] = Touches.PRIMARY
    name: str
    is_new: bool
    hold_from: Point | None = None

    def __str__(self) -> str:
        verb = "create" if self.is_new else "use"
        held = "" if self.hold_from is None else f", hold the WAL from {self.hold_from}"
        return f"{verb} replication slot {self.name}{held}"


@record
class Repoint:
    """Make a data directory that lacks only WAL a standby of this primary, in place.

    `new_locations` are those of tablespaces whose creation it will replay; the directories must
    exist (create_tablespace_directories in src/backend/commands/tablespace.c).
    `drops_restore_command`: its own would keep it from streaming (plan/broken_archive.py).
    """

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places
    conninfo: Conninfo
    slot_name: str
    former_slot_name: str | None
    port: int | None
    bin_directory: str
    new_locations: tuple[str, ...] = ()
    drops_restore_command: bool = False
    restore_command: str | None = None
    """The one to set; None leaves the node's own."""

    def __str__(self) -> str:
        return f"make {self.places.data.path} a standby of the primary"


@record
class KeepToPast:
    """Leave a data directory only WAL of the primary's past (plan/past.py).

    `moved` are files of its pg_wal that are moved aside and kept until the node has run well.
    `fetched` are WAL files that it gets from the primary, as far as the primary has flushed them.
    `histories` are the timelines whose history files it gets. `gaps` are numbers of timelines that
    the primary was never on. Without history files for them, a standby neither finds its newest
    timeline nor fetches it. `sizes` are how many bytes of each file are fetched, as far as they
    exist; if it is empty, all files are fetched whole. `archived` are WAL files that the primary no
    longer has; they are fetched from `archive`, by its command.
    """

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places
    directory: str
    moved: tuple[str, ...]
    fetched: tuple[str, ...]
    histories: tuple[TimelineId, ...]
    gaps: tuple[TimelineId, ...]
    conninfo: Conninfo
    segment_bytes: int
    sizes: tuple[int, ...] = ()
    archived: tuple[str, ...] = ()
    archive: FromArchive | None = None

    def __str__(self) -> str:
        parts = [f"move {_some(self.moved)} out of its pg_wal"] if self.moved else []
        parts += [f"fetch {_some(self.fetched)} from the primary"] if self.fetched else []
        parts += [f"fetch {_some(self.archived)} from the archive"] if self.archived else []
        return ", ".join(parts) or "fetch the timeline history from the primary"


def _some(names: tuple[str, ...]) -> str:
    """Return one or two file names, or the first and the last of more."""
    if len(names) > 2:
        return f"{len(names)} files ({names[0]} to {names[-1]})"
    return " and ".join(names)


@record
class RepointRunning:
    """Point a running standby at this primary by new settings and a reload.

    `login` is the connection string for the server on its own host. `new_locations` and
    `drops_restore_command` are as in `Repoint`.
    """

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places
    conninfo: Conninfo
    slot_name: str
    former_slot_name: str | None
    login: Conninfo
    new_locations: tuple[str, ...] = ()
    drops_restore_command: bool = False
    restore_command: str | None = None
    """As in `Repoint`."""

    def __str__(self) -> str:
        return "point its server at the primary by a reload and check that it streams"


@record
class ConfigureStandby:
    """Give the copy the node's own configuration, and what makes it a standby of this primary.

    `is_of_primary`: the node had no data, so the configuration in the copy is the primary's.
    """

    touches: ClassVar[Touches] = Touches.BESIDE
    places: Places
    conninfo: Conninfo
    slot_name: str
    former_slot_name: str | None
    port: int | None
    bin_directory: str
    is_of_primary: bool
    backup: Backup | None = None
    """Where the standby gets WAL that is older than the primary's."""
    drops_restore_command: bool = False
    restore_command: str | None = None
    """As in `Repoint`."""

    def __str__(self) -> str:
        return "configure the copy as a standby"
