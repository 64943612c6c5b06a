"""All facts that a decision may be based on, learnt from the primary and from the target."""

from collections.abc import Iterator

from pgpool_recovery.domain.control_data import ControlData
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import History, Lsn, Point
from pgpool_recovery.facts.access import NO_ACCESS, Access
from pgpool_recovery.facts.archived_history import Archive
from pgpool_recovery.facts.archived_wal import ArchivedWal
from pgpool_recovery.facts.backup import Backup, NoBackup
from pgpool_recovery.facts.leftover import NO_FILES, LeftFiles, Leftover
from pgpool_recovery.facts.own_method import OwnMethod
from pgpool_recovery.facts.own_wal import NO_WAL, Compared, OwnWal
from pgpool_recovery.facts.pace import Pace
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.running import Running
from pgpool_recovery.facts.source import Source

Conninfo = dict[str, str]
"""A libpq connection string as keywords and values; it never holds a secret (plan/inherited.py)."""


@record
class FileIdentity:
    """Identifies a directory: two names of the same host lead to the same device and inode."""

    boot_id: str
    device: int
    inode: int


@record
class Slot:
    """A replication slot of the primary, or of a server that is checked.

    `kept_bytes` is the WAL that it retains. `holds_xmin`: it keeps VACUUM from removing rows. The
    rest is known since PostgreSQL 17. `is_failover`: it should be synchronised to standbys.
    `is_synced`: it was synchronised from the primary. Such a slot is temporary until its WAL is
    there. `invalidation_reason` is that of pg_replication_slots.
    """

    name: str
    is_physical: bool
    is_active: bool
    wal_status: str | None
    kept_bytes: int
    is_failover: bool = False
    is_synced: bool = False
    is_temporary: bool = False
    invalidation_reason: str | None = None
    holds_xmin: bool = False


@record
class Tablespace:
    """A tablespace of the primary; `directory` is the version directory in `location`."""

    oid: int
    location: str
    directory: str
    size_bytes: int
    identity: FileIdentity | None


@record
class RelationSegment:
    """One file of a relation's fork; `tablespace` is its OID, `fork` 0 for the main one."""

    tablespace: int
    database: int
    relfilenode: int
    fork: int
    segment: int


@record
class Base:
    """The position after which a data directory lacks what the primary has written.

    `redo` is where recovery would begin: the REDO location of its last checkpoint, or the start in
    backup_label. `end` is up to where it is known to have replayed, and never before `redo`.
    """

    redo: Point
    end: Point


@record
class LocalWal:
    """The WAL that a data directory has itself: all segments from its base up to `missing`.

    `missing` is the number of the first segment that it lacks. Of the segment before, it has at
    least the first page.
    """

    base: Base
    missing: int

    def needed(self, segment_bytes: int) -> int:
        """Return the number of the first segment that a standby will request from the primary.

        It replays what it has, and streams from the beginning of the segment that it has reached
        (RequestXLogStreaming). That may be past its minimum recovery end if it was killed.
        """
        is_last_whole = self.base.end.lsn == self.missing * segment_bytes
        last = self.missing if is_last_whole else self.missing - 1
        return max(self.base.redo.lsn // segment_bytes, last)


@record
class Stream:
    """A standby that streams from the primary."""

    slot_name: str | None
    client_address: str | None
    application_name: str


@record
class Wal:
    """The WAL of the primary.

    `written` is its end. `oldest_segment` is the number of the oldest segment of its own past that
    it still has. `is_summarized`: its WAL summarizer is on.
    """

    history: History
    written: Lsn
    segment_bytes: int
    oldest_segment: int
    full_page_writes: bool
    is_summarized: bool

    def has(self, segment: int) -> bool:
        """Return whether the primary still has the WAL since a segment."""
        return segment >= self.oldest_segment

    def begin_of(self, segment: int) -> Point:
        """Return where a segment begins."""
        lsn = Lsn(segment * self.segment_bytes)
        return Point(self.history.timeline_at(lsn), lsn)

    def bytes_since(self, lsn: Lsn) -> int:
        """Return how many bytes were written since a position."""
        return self.written - lsn


@record
class PrimaryFacts:
    """What the primary reports about itself.

    `rewind_users` are roles that may do what pg_rewind does, and `compressions` are those that it
    was built with. `port` is where it listens. `asks_clear_text`: its pg_hba.conf has methods for
    which a client sends the password in clear text. `slot_limit_bytes` is how much WAL a slot may
    retain; None means no limit. `syncs_slots` is its own sync_replication_slots, and
    `awaited_slots` its synchronized_standby_slots. `max_wal_bytes` is max_wal_size.
    `synchronous_standby_names` is the value of the setting (domain/synchronous.py).
    `wal_bytes_per_s` is how much WAL it writes, and `wal_free_bytes` how much room the filesystem
    of its pg_wal has. `can_back_up`: our own role may call pg_backup_start. `wal_directory` is
    where its pg_wal leads.
    """

    version: int
    system_identifier: str
    is_in_recovery: bool
    data_directory: FileIdentity | None
    is_configuration_inside: bool
    bin_directory: str
    socket_directories: tuple[str, ...]
    wal_level: str
    max_wal_senders: int
    wal_senders: int
    max_replication_slots: int
    slots: tuple[Slot, ...]
    standby_parameters: dict[str, int]
    data_bytes: int
    wal_bytes: int
    tablespaces: tuple[Tablespace, ...]
    replication_users: tuple[str, ...]
    rewind_users: tuple[str, ...]
    streams: tuple[Stream, ...]
    compressions: tuple[str, ...]
    wal: Wal | None
    port: int
    asks_clear_text: bool
    restore_command: str = ""
    leftovers: tuple[Leftover, ...] = ()
    slot_limit_bytes: int | None = None
    syncs_slots: bool = False
    awaited_slots: tuple[str, ...] = ()
    synchronous_standby_names: str = ""
    access: Access = NO_ACCESS
    max_wal_bytes: int = 2**30
    wal_bytes_per_s: float | None = None
    wal_free_bytes: int | None = None
    can_back_up: bool = True
    wal_directory: FileIdentity | None = None

    @property
    def major(self) -> int:
        """The major version, such as 15."""
        return self.version // 10000

    @property
    def copy_bytes(self) -> int:
        """The size of a full copy: the data directory without its WAL, and all tablespaces."""
        return self.directory_bytes + sum(space.size_bytes for space in self.tablespaces)

    @property
    def directory_bytes(self) -> int:
        """The size of the data directory without its WAL, with files that are not the cluster's."""
        return self.data_bytes + self.access.kept_bytes


@record
class Filesystem:
    """The filesystem that a path is on, or would be on, and where it is mounted."""

    device: int
    free_bytes: int
    is_read_only: bool = False
    mounted_at: str = "/"


@record
class PlaceFacts:
    """A directory of the target that a copy replaces as a whole.

    `path` has no symbolic links. `can_rename`: the directory is not a mount point itself, and its
    parent directory is writable. `waiting_bytes` is the size of the old directory that an earlier
    recovery replaced and kept in the workspace, if there is one. `is_own`: it is the node's data
    directory, or the node's data directory links to it. `problem` is why it could not be examined,
    and `is_of_another_user` says that its owner is the reason. `is_layered`: part of it comes from
    a lower layer of an overlay filesystem. `other_server` is the data directory of another server
    on the target's host that it belongs to, as far as that is known.
    """

    path: str
    exists: bool
    size_bytes: int
    can_write: bool
    can_rename: bool
    filesystem: Filesystem
    identity: FileIdentity | None
    waiting_bytes: int | None
    is_empty: bool
    is_own: bool
    problem: str | None = None
    is_of_another_user: bool = False
    is_layered: bool = False
    other_server: str | None = None


@record
class Configuration:
    """The configuration with which the target's server would start; values are as SHOW has them."""

    file: str
    is_inside: bool
    values: dict[str, str]
    primary_conninfo: Conninfo
    leftovers: tuple[Leftover, ...] = ()
    trigger_file: str | None = None
    conninfo_place: str | None = None
    """File and line of primary_conninfo, if it is set in a file that could be read."""


@record
class PartialCopy:
    """What an interrupted run left of a full copy; no server could start in it.

    `layout` is where it is, by the path of the directory that it is for; `sizes` are its sizes, by
    the same paths. `begun_s` is when it began (epoch).
    """

    system_identifier: str
    begun_s: int
    layout: dict[str, str]
    sizes: dict[str, int]

    @property
    def size_bytes(self) -> int:
        """How much was copied."""
        return sum(self.sizes.values())


@record
class TargetFacts:
    """What the agent learnt about the target.

    `gone_tablespaces` are the locations of its tablespaces that the primary lacks, and
    `moved_tablespaces` the primary's locations of those for which the settings give another
    directory than the node's own link. `linked_tablespaces` are the OIDs of the tablespaces that
    the directory has. `foreign_entries` are the entries of a directory that is not a data
    directory. `backup_start` is the start position in backup_label, if that can be read. `history`
    is the directory's history file of its own timeline. `is_away`: an interrupted run left the
    directory in the workspace instead of at its path. `changing` is the method by which it is half
    changed; None if it is whole. `state` is the state in its journal, which a run that does nothing
    leaves unchanged. `resumable` is the base of a directory that an incremental backup was being
    written to. `can_clone`: the filesystem can copy files without copying their blocks (reflink).
    `addresses` are those of the target's host. `failed_starts` is how often in a row its server
    failed after a recovery. `marked_identifier` is the system identifier in the marker of a
    directory that is half written.
    """

    hostname: str
    user: str
    data: PlaceFacts
    wal: PlaceFacts | None
    tablespaces: dict[int, PlaceFacts]
    gone_tablespaces: tuple[str, ...]
    moved_tablespaces: tuple[str, ...]
    linked_tablespaces: tuple[int, ...]
    is_empty: bool
    is_data_directory: bool
    foreign_entries: tuple[str, ...]
    mounts_inside: tuple[str, ...]
    major: int | None
    control: ControlData | None
    has_backup_label: bool
    backup_start: Point | None
    history: History | None
    local_wal: LocalWal | None
    is_away: bool
    changing: str | None
    state: TargetState
    resumable: Base | None
    can_clone: bool
    addresses: tuple[str, ...]
    server_pid: int | None
    is_standby: bool
    failed_starts: int
    managed_by: str | None
    is_busy: bool
    bin_directory: str | None
    configuration: Configuration | None
    configuration_problem: str | None
    left_files: LeftFiles = NO_FILES
    own_wal: OwnWal = NO_WAL
    access: Access = NO_ACCESS
    has_zstd: bool = False
    """Whether its host can decompress what the primary compresses (host/zstd.py)."""
    marked_identifier: str | None = None
    copy: PartialCopy | None = None

    @property
    def is_sound(self) -> bool:
        """Whether a server has brought the data directory to consistency.

        Recovery renames backup_label as soon as it has read it, so its absence alone proves
        nothing.
        """
        return self.control is not None and not self.has_backup_label and self.control.is_consistent

    def places(self) -> Iterator[PlaceFacts]:
        """Yield each of its directories once."""
        found = (self.data, *([] if self.wal is None else [self.wal]), *self.tablespaces.values())
        yield from {place.path: place for place in found}.values()

    @property
    def old_waits(self) -> bool:
        """Whether data that an earlier recovery replaced is still in the workspace."""
        return self.data.waiting_bytes is not None


@record
class Login:
    """A replication connection from the target to the primary that was tried."""

    conninfo: Conninfo
    system_identifier: str | None
    problem: str | None


@record
class Facts:
    """All facts about a recovery.

    `rewind_logins` are SQL connections that were tried for pg_rewind. `login_problem` says why no
    login was tried at all. `summaries` says why the WAL summaries of the primary do not cover the
    time since the target's base; None if they do. `changed_bytes` is the size of the blocks that
    they list. `link_bytes_per_s` is the speed of the link from the primary to the target, if it was
    measured. `backup` is what the target sees in the pgBackRest repository; None if none is
    configured. `archive` is what the target's restore_command returned; None without one. `running`
    is what the target's server reports, if it runs. `slot_logins` are SQL connections that were
    tried for the worker that synchronises failover slots. `compared` is the result of comparing the
    target's WAL with the primary's. `own_methods` are the commands of the settings for this node.
    `sources` are the nodes from which a copy might be read; None if that was not examined.
    `archived_wal` are the archives that were tried for the WAL that the primary no longer has, each
    call for at most `archive_s`. `fetches_ahead`: what an archive has may be fetched from there
    before the server asks for it. `paces` are the recoveries on record that succeeded, of all
    nodes, the newest first.
    """

    primary: PrimaryFacts
    target: TargetFacts
    logins: tuple[Login, ...]
    rewind_logins: tuple[Login, ...] = ()
    summaries: Rejection | None = None
    changed_bytes: int | None = None
    link_bytes_per_s: float | None = None
    backup: Backup | NoBackup | None = None
    running: Running | None = None
    login_problem: Rejection | None = None
    archive: Archive | None = None
    slot_logins: tuple[Login, ...] = ()
    compared: Compared | None = None
    own_methods: tuple[OwnMethod, ...] = ()
    sources: tuple[Source, ...] | None = None
    archived_wal: tuple[ArchivedWal, ...] = ()
    archive_s: float = 10.0
    fetches_ahead: bool = True
    paces: tuple[Pace, ...] = ()
