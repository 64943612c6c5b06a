"""The closed set of steps; each says what it touches and how it is taken back."""

from enum import Enum
from typing import ClassVar

from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import Point, TimelineId
from pgpool_recovery.facts.backup import Backup, Restoration
from pgpool_recovery.facts.facts import Conninfo
from pgpool_recovery.facts.policy import Rate

WORKSPACE = "pgpool_recovery"
"""What the workspace of a data directory is called, inside it or after its name beside it."""


class Touches(Enum):
    """Where a step leaves something behind: on the primary, beside the target's data, or in it.

    Of an agent that is lost amid a step of the last kind it cannot be said what stands there now.
    """

    PRIMARY = "primary"
    BESIDE = "target"
    PLACE = "target's data"


@record
class Place:
    """A directory of the target that is replaced as a whole, and where it is prepared.

    The new directory grows in ``<workspace>/new`` and the old one waits in ``<workspace>/old``.
    `is_inside`: the workspace lies in the directory itself, because that is a mount point or must
    not be renamed; then the entries are moved one by one.
    """

    path: str
    workspace: str
    is_inside: bool
    new: str

    @property
    def old(self) -> str:
        """Where the old directory waits."""
        return f"{self.workspace}/old"


@record
class TablespacePlace:
    """A tablespace on its way: its OID, its location on the primary and on the target."""

    oid: int
    primary_location: str
    location: str
    place: Place

    @property
    def copy_location(self) -> str:
        """What pg_basebackup is told to use as the location."""
        return f"{self.place.workspace}/new"


@record
class Places:
    """All directories of one target."""

    data: Place
    wal: Place | None
    tablespaces: tuple[TablespacePlace, ...]

    def in_place(self) -> "Places":
        """Return what a method moves that changes the directory itself: only that directory."""
        return Places(data=self.data, wal=None, tablespaces=())

    def all(self) -> tuple[Place, ...]:
        """Return the places in the order in which they are swapped: the data directory last.

        Until then nothing at the data directory's path can be started.
        """
        wal = () if self.wal is None else (self.wal,)
        return (*wal, *(t.place for t in self.tablespaces), self.data)


@record
class Reserve:
    """Take the target for this run, and clear away what an interrupted run left."""

    touches: ClassVar[Touches] = Touches.BESIDE
    places: Places

    def __str__(self) -> str:
        return f"reserve {self.places.data.path}"


@record
class DiscardWaiting:
    """Remove the data that an earlier recovery replaced: the server has run well since."""

    touches: ClassVar[Touches] = Touches.BESIDE
    places: Places

    def __str__(self) -> str:
        return "remove the data that an earlier recovery replaced"


@record
class PutOldBack:
    """Put back the data that an earlier recovery replaced by a copy that never ran well."""

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places

    def __str__(self) -> str:
        return "put the old data back in place of a copy that never ran well"


@record
class CreateSlot:
    """Create a physical slot that reserves WAL at once; one that is there and usable is kept.

    `hold_from`: the slot shall also hold the WAL that is there already, from this position on.
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
    """Make a data directory that lacks nothing but WAL a standby of this primary, where it is.

    `new_locations` are those of tablespaces whose creation it will replay: the directories have to
    be there (create_tablespace_directories in src/backend/commands/tablespace.c).
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

    def __str__(self) -> str:
        return f"make {self.places.data.path} a standby of the primary"


@record
class KeepToPast:
    """Leave a data directory no WAL but that of the primary's past (plan/past.py).

    `moved` are files of its pg_wal that are kept aside until the node has run well. `fetched` are
    WAL files that it gets from the primary, as far as that has flushed them, and `histories` the
    timelines whose history files it gets. `gaps` are numbers of timelines that the primary never
    was on: without files of theirs a standby neither finds its newest timeline nor fetches it.
    `sizes` are how many bytes of each are fetched, as far as they are there; empty for all of them.
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

    def __str__(self) -> str:
        parts = [f"move {_some(self.moved)} of its pg_wal aside"] if self.moved else []
        parts += [f"take {_some(self.fetched)} from the primary"] if self.fetched else []
        return ", ".join(parts) or "take the timeline history from the primary"


def _some(names: tuple[str, ...]) -> str:
    """Name one or two files, or the first and the last of more."""
    if len(names) > 2:
        return f"{len(names)} files ({names[0]} to {names[-1]})"
    return " and ".join(names)


@record
class RepointRunning:
    """Lead a standby that runs to this primary: new settings, a reload, and it streams.

    `login` is how its host gets into the server. `new_locations` are as those of `Repoint`.
    """

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places
    conninfo: Conninfo
    slot_name: str
    former_slot_name: str | None
    login: Conninfo
    new_locations: tuple[str, ...] = ()
    drops_restore_command: bool = False

    def __str__(self) -> str:
        return "lead its server to the primary by a reload, and see it stream"


@record
class Clone:
    """Clone all directories where the filesystem does that for free; the clone is changed."""

    touches: ClassVar[Touches] = Touches.BESIDE
    places: Places

    def __str__(self) -> str:
        return "clone the data directory; the old one stays as it is"


@record
class TakeOut:
    """Take the data directory out of its place, so that nobody can start it half changed.

    Until the next step nothing is changed, and it is put back when something fails.
    """

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places

    def __str__(self) -> str:
        return f"take {self.places.data.path} out of its place"


@record
class Rewind:
    """Bring a diverged directory back to the primary's past with pg_rewind.

    `locations` is where each tablespace of the primary is on the target, by OID.
    The directory keeps its WAL of the primary's `timelines` that lies before `fork_segment`.
    `is_followed_by_more`: its WAL is gone, an incremental base backup makes up for that.
    """

    touches: ClassVar[Touches] = Touches.BESIDE
    places: Places
    bin_directory: str
    major: int
    conninfo: Conninfo
    configuration_file: str | None
    restore_command: str
    locations: dict[int, str]
    needs_crash_recovery: bool
    timelines: tuple[TimelineId, ...]
    fork_segment: int
    segment_bytes: int
    is_followed_by_more: bool
    verifies_pages: bool

    def __str__(self) -> str:
        return "rewind it with pg_rewind"


@record
class Incremental:
    """Write what changed since the directory's base onto it, from an incremental base backup."""

    touches: ClassVar[Touches] = Touches.BESIDE
    places: Places
    bin_directory: str
    conninfo: Conninfo
    slot_name: str
    timelines: tuple[TimelineId, ...]
    segment_bytes: int
    locations: dict[int, str]
    max_rate: Rate | None
    verifies_pages: bool

    def __str__(self) -> str:
        return "write the changed blocks from an incremental base backup onto it"


@record
class RestoreBackup:
    """Bring the directory to the newest backup of a pgBackRest repository."""

    touches: ClassVar[Touches] = Touches.BESIDE
    places: Places
    bin_directory: str
    restoration: Restoration

    def __str__(self) -> str:
        repository = self.restoration.backup.repository
        return f"restore what differs from backup {repository.label} of {repository.stanza}"


@record
class PutInPlace:
    """Put the directory that was taken out back to its place."""

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places

    def __str__(self) -> str:
        return f"put it into place at {self.places.data.path}"


@record
class RemoveOld:
    """Remove the old data: the point of no return of a plan that does not keep it."""

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places

    def __str__(self) -> str:
        return f"remove the old data in {self.places.data.path}"


@record
class CopyBaseBackup:
    """Copy everything with pg_basebackup into the workspaces.

    `streams_by_slot`: its WAL comes by the slot, so that this keeps none which has arrived. Then it
    tells how far it is, and the primary takes it for a synchronous standby by its name.
    """

    touches: ClassVar[Touches] = Touches.BESIDE
    bin_directory: str
    conninfo: Conninfo
    slot_name: str
    places: Places
    max_rate: Rate | None
    compression: str | None
    size_bytes: int
    streams_by_slot: bool = True

    def __str__(self) -> str:
        how = "" if self.compression is None else f", compressed with {self.compression}"
        return f"copy about {pretty_size(self.size_bytes)} with pg_basebackup{how}"


@record
class VerifyBackup:
    """Check every file of the copy against its manifest."""

    touches: ClassVar[Touches] = Touches.BESIDE
    bin_directory: str
    places: Places

    def __str__(self) -> str:
        return "check the copy with pg_verifybackup"


@record
class ConfigureStandby:
    """Give the copy the node's own configuration, and what makes it a standby of this primary.

    `is_of_primary`: the node had no data, so that what is in the copy comes from the primary.
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
    """Where WAL comes from that is older than the primary's."""
    drops_restore_command: bool = False

    def __str__(self) -> str:
        return "configure the copy as a standby"


@record
class SwapIn:
    """Put the copy in the place of the old data."""

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places

    def __str__(self) -> str:
        return f"put the copy into place at {self.places.data.path}"


TargetStep = (
    Reserve
    | DiscardWaiting
    | PutOldBack
    | RemoveOld
    | CopyBaseBackup
    | VerifyBackup
    | ConfigureStandby
    | SwapIn
    | Repoint
    | KeepToPast
    | RepointRunning
    | Clone
    | TakeOut
    | Rewind
    | Incremental
    | RestoreBackup
    | PutInPlace
)
Step = TargetStep | CreateSlot
