"""The closed set of steps; each says what it does and what it touches."""

from enum import Enum
from typing import ClassVar

from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import Point, TimelineId
from pgpool_recovery.facts.archived_wal import FromArchive
from pgpool_recovery.facts.backup import Backup, Restoration
from pgpool_recovery.facts.facts import Conninfo
from pgpool_recovery.facts.own_method import OwnMethod
from pgpool_recovery.facts.policy import Rate

WORKSPACE = "pgpool_recovery"
"""The name of the workspace inside a data directory, or the suffix of its name beside it."""


class Touches(Enum):
    """Where a step leaves something behind: on the primary, beside the target's data, or in it.

    If an agent is lost during a step of the last kind, the state of the target is not known.
    """

    PRIMARY = "primary"
    BESIDE = "target"
    PLACE = "target's data"


@record
class Place:
    """A directory of the target that is replaced as a whole, and where it is prepared.

    The new directory is prepared in ``<workspace>/new``, and the old one is kept in
    ``<workspace>/old``. `is_inside`: the workspace is in the directory itself, because that is a
    mount point or must not be renamed. Then its entries are moved one by one.
    """

    path: str
    workspace: str
    is_inside: bool
    new: str

    @property
    def old(self) -> str:
        """Where the old directory is kept."""
        return f"{self.workspace}/old"


@record
class TablespacePlace:
    """A tablespace to be copied: its OID, and where it is on the target."""

    oid: int
    location: str
    place: Place

    @property
    def copy_location(self) -> str:
        """The location that a copy is written to."""
        return f"{self.place.workspace}/new"


@record
class Places:
    """All directories of one target."""

    data: Place
    wal: Place | None
    tablespaces: tuple[TablespacePlace, ...]

    def in_place(self) -> "Places":
        """Return what a method that changes the directory itself moves: only that directory."""
        return Places(data=self.data, wal=None, tablespaces=())

    def all(self) -> tuple[Place, ...]:
        """Return the places in the order in which they are swapped: the data directory last.

        Until then, no server can be started at the data directory's path.
        """
        wal = () if self.wal is None else (self.wal,)
        return (*wal, *(t.place for t in self.tablespaces), self.data)


@record
class Reserve:
    """Reserve the target for this run, and clean up what an interrupted run left.

    `keeps_copy`: what it left of a full copy stays, because this run goes on from it, or can do
    without the space.
    """

    touches: ClassVar[Touches] = Touches.BESIDE
    places: Places
    keeps_copy: bool = False

    def __str__(self) -> str:
        return f"reserve {self.places.data.path}"


@record
class DiscardWaiting:
    """Remove the data that an earlier recovery replaced; the server has run well since."""

    touches: ClassVar[Touches] = Touches.BESIDE
    places: Places
    size_bytes: int = 0

    def __str__(self) -> str:
        return "remove the data that an earlier recovery replaced"


@record
class PutOldBack:
    """Put back the data that an earlier recovery replaced with a copy that never ran well."""

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places

    def __str__(self) -> str:
        return "put the old data back in place of a copy that never ran well"


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
class Clone:
    """Clone all directories on a filesystem that shares blocks; the clone is changed."""

    touches: ClassVar[Touches] = Touches.BESIDE
    places: Places

    def __str__(self) -> str:
        return "clone the data directory; the old one stays unchanged"


@record
class TakeOut:
    """Move the data directory into the workspace, so that it cannot be started half changed.

    Until the next step nothing is changed, and it is put back on a failure.
    """

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places

    def __str__(self) -> str:
        return f"move {self.places.data.path} into the workspace"


@record
class Rewind:
    """Bring a diverged directory back to the primary's past with pg_rewind.

    `locations` is where each tablespace of the primary is on the target, by OID. `timelines` are
    those of the primary's history: the directory keeps its own WAL of them before `fork_segment`.
    `is_followed_by_more`: the WAL that it would then need is gone, so an incremental base backup
    follows.
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
    is_followed_by_archive: bool = False
    """The WAL that it then needs is in an archive, as far as the primary does not have it."""

    def __str__(self) -> str:
        return "rewind it with pg_rewind"


@record
class Incremental:
    """Write what changed since the directory's base into it, from an incremental base backup.

    `timelines` are those of the primary's history; `segment_bytes` is the size of a WAL segment.
    `workers` is how many threads of the primary compress.
    """

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
    compression: str | None = None
    workers: int | None = None

    def __str__(self) -> str:
        return "write the changed blocks from an incremental base backup onto it"


@record
class SourceNode:
    """A standby from which a copy is read, and its stream from the primary."""

    node_id: NodeId
    slot_name: str | None
    application_name: str
    host: str
    data_directory: str

    def __str__(self) -> str:
        return f"node {self.node_id}"


@record
class Delta:
    """Write what differs from the files of a running server into the directory, block by block.

    `places.data.new` is written, and for each tablespace, by its OID, the directory in `locations`.
    `workers` is how many compare at the same time; None: as many as suit both hosts. `source` is
    the standby whose files are read; None if that is the primary. `is_whole`: the directory is what
    an interrupted full copy left, so it gets all that such a copy has.
    """

    touches: ClassVar[Touches] = Touches.BESIDE
    places: Places
    bin_directory: str
    system_identifier: str
    slot_name: str
    locations: dict[int, str]
    max_rate: Rate | None
    workers: int | None
    verifies_pages: bool
    source: SourceNode | None = None
    is_whole: bool = False

    def __str__(self) -> str:
        what = "what was copied" if self.is_whole else "it"
        whose = "the primary's" if self.source is None else f"{self.source}'s"
        end = "copy what differs" if self.is_whole else "copy the blocks that differ"
        return f"compare {what} with {whose} files and {end}"


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
class RunCommand:
    """Have a command of the settings make the data directory.

    It works in `places.data.new`: on what the node has (`keep_data`), or in an empty directory.
    `locations` has the directory of each tablespace of the primary, by OID. `node` is the node's
    name.
    """

    touches: ClassVar[Touches] = Touches.BESIDE
    places: Places
    bin_directory: str
    method: OwnMethod
    node: str
    conninfo: Conninfo
    slot_name: str
    system_identifier: str
    major: int
    locations: dict[int, str]
    wal_directory: str | None

    def __str__(self) -> str:
        return f"run the command of method {self.method.name}"


@record
class CheckMade:
    """Check that what a command has made is in the primary's past, and leave it only that past."""

    touches: ClassVar[Touches] = Touches.BESIDE
    places: Places
    method: OwnMethod
    conninfo: Conninfo

    def __str__(self) -> str:
        return f"check what method {self.method.name} has made"


@record
class PutInPlace:
    """Move the directory from the workspace back to its path."""

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places

    def __str__(self) -> str:
        return f"put it into place at {self.places.data.path}"


@record
class RemoveOld:
    """Remove the old data: the point of no return of a plan that does not keep it."""

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places
    size_bytes: int = 0

    def __str__(self) -> str:
        return f"remove the old data in {self.places.data.path}"


@record
class CopyBaseBackup:
    """Copy everything into the workspaces, and compare each file with the manifest on the way.

    `streams_by_slot`: its WAL is streamed by the slot, which then retains only WAL that has not yet
    arrived. In that case pg_receivewal reports its position, and the primary takes it for a
    synchronous standby if its name is in synchronous_standby_names. `source` is the standby to
    which `conninfo` leads, while `wal_conninfo` leads to the primary, whose slot it is; both are
    None if the primary sends everything. `workers` is how many threads of the server compress.
    `system_identifier` is the cluster's.
    """

    touches: ClassVar[Touches] = Touches.BESIDE
    bin_directory: str
    conninfo: Conninfo
    slot_name: str
    places: Places
    max_rate: Rate | None
    compression: str | None
    size_bytes: int
    segment_bytes: int
    streams_by_slot: bool = True
    source: SourceNode | None = None
    wal_conninfo: Conninfo | None = None
    workers: int | None = None
    verifies_pages: bool = False
    system_identifier: str = ""

    def __str__(self) -> str:
        whence = "" if self.source is None else f" from {self.source}"
        how = "" if self.compression is None else f", compressed with {self.compression}"
        size = pretty_size(self.size_bytes)
        return f"copy about {size}{whence}{how}, checking each file against the manifest"


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


@record
class SwapIn:
    """Replace the old data with the copy."""

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
    | ConfigureStandby
    | SwapIn
    | Repoint
    | KeepToPast
    | RepointRunning
    | Clone
    | TakeOut
    | Rewind
    | Incremental
    | Delta
    | RestoreBackup
    | RunCommand
    | CheckMade
    | PutInPlace
)
Step = TargetStep | CreateSlot
