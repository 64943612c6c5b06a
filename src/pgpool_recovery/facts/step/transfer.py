"""The steps that bring the primary's data to the target, one or two for each method."""

from typing import ClassVar

from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import TimelineId
from pgpool_recovery.facts.backup import Restoration
from pgpool_recovery.facts.facts import Conninfo
from pgpool_recovery.facts.own_method import OwnMethod
from pgpool_recovery.facts.policy import BlockHash, Rate
from pgpool_recovery.facts.step.place import Places, Touches


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
    block_hash: BlockHash = BlockHash.AUTO

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
