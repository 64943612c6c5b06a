"""The words of a case (cases/README.md): what is unusual, and what the planner must say.

Every word has the value of the healthy situation unless a file says otherwise.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, NewType

from pgpool_recovery.domain.wal import Lsn, Point, TimelineId
from pgpool_recovery.facts.policy import Method
from tests.unit.plan.situation import SYSTEM

Size = NewType("Size", int)
"""Bytes; in a file as "10 GB"."""

GB = Size(2**30)
IN_RECOVERY = ("shut down in recovery", "in archive recovery")
FIRST = TimelineId(1)
WRITTEN = Lsn(0x64000000)
OLDEST_WAL = Lsn(0xA000000)
REDO = Lsn(0x32000028)
REPLAYED = Point(FIRST, Lsn(0x33000000))
"""Where a standby's replay has got to unless a file says otherwise."""
BACKUP_START = Point(FIRST, Lsn(0x20000028))
BACKUP_STOP = Point(FIRST, Lsn(0x21000100))

Contents = Literal["data", "no control file", "other files", "nothing", "missing"]
OnTarget = Literal["own", "new", "moved", "foreign", "the primary's", "another server's"]


@dataclass(frozen=True)
class Left:
    """A line of a history file: a timeline, and where it was left."""

    timeline: TimelineId
    left_at: Lsn


@dataclass(frozen=True)
class SlotWords:
    """A line of pg_replication_slots."""

    name: str
    type: Literal["physical", "logical"] = "physical"
    active: bool = False
    wal_status: str = "reserved"
    keeps: Size = Size(0)


@dataclass(frozen=True)
class StreamWords:
    """A standby that streams, by a slot or from an address."""

    slot: str | None = None
    address: str | None = None


@dataclass(frozen=True)
class SummaryWords:
    """A WAL summary."""

    timeline: TimelineId
    start: Lsn
    end: Lsn


@dataclass(frozen=True)
class SummariesWords:
    """The WAL summaries that exist; without this table they cover everything up to now."""

    available: tuple[SummaryWords, ...]
    reached: Point
    running: bool = True


@dataclass(frozen=True)
class ArchivedWords:
    """A history file of an archive: the timeline of its name, what it says, and its last reason."""

    timeline: TimelineId
    history: tuple[Left, ...] = ()
    reason: str | None = "no recovery target specified"
    is_a_history: bool = True


@dataclass(frozen=True)
class ArchiveWords:
    """What restore_command returned; `silent_after`: seconds after which it had not ended."""

    histories: tuple[ArchivedWords, ...] = ()
    silent_after: int | None = None
    fatal: str | None = None


@dataclass(frozen=True)
class OddWords:
    """A file of an archive that is not what its name says."""

    file: str
    size: Size | None = None
    system_identifier: str = SYSTEM
    timeline: TimelineId | None = None
    begins: Lsn | None = None
    major: int = 15
    is_wal: bool = True
    segments_of: Size | None = None


@dataclass(frozen=True)
class TriedWords:
    """An archive that was tried for the WAL that the primary lacks; it has all unless this says so.

    `lacks`: the first file that it did not deliver, and `said` how it failed. `like_node` and
    `like_primary`: whether its WAL is that of the node, and that of the primary, where both have
    some. `problem`: why it was not tried.
    """

    by: Literal["its own", "pgbackrest", "settings"] = "its own"
    command: str = "cp /archive/%f %p"
    problem: str | None = None
    lacks: str | None = None
    said: str = "exit status 1 (cp: cannot stat)"
    odd: OddWords | None = None
    like_node: Literal["same", "different", "unknown"] = "same"
    like_primary: Literal["same", "different", "unknown"] = "same"
    histories: tuple[ArchivedWords, ...] = ()


@dataclass(frozen=True)
class BackupWords:
    """The newest backup in a pgBackRest repository, the last WAL file and the history files there.

    `problem`: why the target sees none.
    """

    start: Point = BACKUP_START
    stop: Point = BACKUP_STOP
    archived: str = "000000010000000000000040"
    histories: tuple[ArchivedWords, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class CommandWords:
    """A command of the settings; `problem`: why the target cannot run it."""

    name: str
    keep_data: bool = False
    problem: str | None = None


@dataclass(frozen=True)
class LeftWords:
    """A setting that does not belong on a standby, and where it is set."""

    name: str
    value: str = ""
    source: str = "/var/lib/pgsql/15/data/postgresql.auto.conf:3"
    on_command_line: bool = False


@dataclass(frozen=True)
class ObstacleWords:
    """A file or a directory that stands in the way of something."""

    path: str
    lacks: Literal["reading", "reading by pg_rewind", "changing", "removing", "a short name"]
    owner: str = "root"
    mode: str = "0600"
    ours: bool = False
    fixed: bool = False


@dataclass(frozen=True)
class AccessWords:
    """What examining every file has shown; `kept`: how much is there that is not the cluster's.

    `more`: how many further obstacles of each kind there are.
    """

    obstacles: tuple[ObstacleWords, ...] = ()
    more: dict[str, int] = field(default_factory=dict)
    whole: bool = True
    kept: Size = Size(0)
    copied: Size = Size(0)
    spare_wal: Size = Size(0)


@dataclass(frozen=True)
class PrimaryWords:
    """The primary; `changed`: what has changed since the target left, by its summaries."""

    major: int = 15
    in_recovery: bool = False
    timeline: TimelineId = FIRST
    history: tuple[Left, ...] = ()
    written: Lsn = WRITTEN
    oldest_wal: Lsn = OLDEST_WAL
    segment_size: Size = Size(16 * 2**20)
    full_page_writes: bool = True
    summarize_wal: bool = False
    summaries: SummariesWords | None = None
    changed: Size = Size(800 * 2**20)
    wal_level: str = "replica"
    max_wal_senders: int = 10
    wal_senders: int = 1
    max_replication_slots: int = 10
    slots: tuple[SlotWords, ...] = ()
    slot_limit: Size | None = None
    streams: tuple[StreamWords, ...] = ()
    settings: dict[str, int] = field(default_factory=dict)
    left: tuple[LeftWords, ...] = ()
    configuration_outside: bool = False
    restore_command: str = ""
    synchronous_standby_names: str = ""
    access: AccessWords = field(default_factory=AccessWords)
    size: Size = Size(10 * GB)
    wal_size: Size = GB
    wal_rate: Size | None = None
    wal_room: Size | None = None
    may_back_up: bool = True


@dataclass(frozen=True)
class ControlWords:
    """What pg_controldata says, in its words.

    `checkpoint` is at REDO after a clean shutdown, otherwise behind it. There is a minimum recovery
    end only in recovery.
    """

    system_identifier: str = SYSTEM
    state: str = "shut down in recovery"
    timeline: TimelineId = FIRST
    redo: Lsn = REDO
    checkpoint: Lsn | None = None
    minimum_recovery_end: Point | None = None
    checksums: bool = False
    wal_log_hints: bool = True
    backup_end_required: bool = False

    @property
    def end(self) -> Point | None:
        """The minimum recovery end."""
        given = self.minimum_recovery_end
        return given or REPLAYED if self.state in IN_RECOVERY else given

    @property
    def newest(self) -> TimelineId:
        """The newest timeline that the directory was on."""
        return self.timeline if self.end is None else max(self.timeline, self.end.timeline)


@dataclass(frozen=True)
class BaseWords:
    """The known range of a half changed directory."""

    redo: Point
    end: Point


@dataclass(frozen=True)
class WalDirectoryWords:
    """A WAL directory outside the data directory: the node's own, or one of the settings."""

    path: str
    own: bool = True
    contents: Literal["data", "nothing", "missing"] = "data"
    size: Size = GB
    waiting: Size | None = None
    is_the_primarys: bool = False
    other_server: str | None = None


@dataclass(frozen=True)
class ConfigurationWords:
    """The configuration with which the target's server would start."""

    outside: bool = False
    problem: str | None = None
    settings: dict[str, str] = field(default_factory=dict)
    left: tuple[LeftWords, ...] = ()
    trigger_file: str | None = None


@dataclass(frozen=True)
class HistoryWords:
    """A history file of the target, by the timeline that it leads to."""

    timeline: TimelineId
    history: tuple[Left, ...]


@dataclass(frozen=True)
class ServerWords:
    """What the target's server says while it runs; `unseen` are settings that its user cannot see.

    `all_replayed`: it has replayed all that it had when it was started, so it knows how much it has
    received. `torn`: no whole record begins where the primary left its timeline. `sources`
    are those of pg_settings.
    """

    in_recovery: bool = True
    paused: bool = False
    timeline: TimelineId = FIRST
    received: Lsn = REPLAYED.lsn
    replayed: Lsn = REPLAYED.lsn
    all_replayed: bool = True
    torn: bool = False
    histories: tuple[HistoryWords, ...] = ()
    recovery_target_timeline: str = "latest"
    sources: dict[str, str] = field(default_factory=dict)
    left: tuple[LeftWords, ...] = ()
    unseen: tuple[str, ...] = ()
    port: int = 5432


@dataclass(frozen=True)
class WalWords:
    """The node's own WAL: the files that matter, and the histories that it has.

    `compared`: the result of comparing it with the primary's; `whole` are the files that are equal
    from beginning to end.
    """

    files: tuple[str, ...] = ()
    histories: tuple[HistoryWords, ...] = ()
    unreadable: tuple[str, ...] = ()
    compared: Literal["same", "different", "nothing"] = "same"
    whole: tuple[str, ...] = ()


@dataclass(frozen=True)
class CopiedWords:
    """What an interrupted full copy left; `moved`: the settings have changed the places since."""

    size: Size
    system_identifier: str = SYSTEM
    moved: bool = False


@dataclass(frozen=True)
class TargetWords:
    """The node to be recovered.

    `waiting`: the size of the data that an earlier recovery replaced. `missing_wal`: the
    start of the first WAL segment that it does not have itself. `history`: its own history file.
    `server`: what the server that runs as `process` says; without it, no login works. `archive`:
    what its restore_command returned for history files. `archived_wal`: which archives were tried
    for WAL.
    """

    node_id_is_known: bool = True
    path: str = "/var/lib/pgsql/15/data"
    contents: Contents = "data"
    size: Size = Size(10 * GB)
    waiting: Size | None = None
    problem: str | None = None
    writable: bool = True
    read_only: bool = False
    layered: bool = False
    can_clone: bool = False
    mounts_inside: tuple[str, ...] = ()
    is_the_primarys: bool = False
    major: int | None = None
    control: ControlWords = field(default_factory=ControlWords)
    backup_label: Point | Literal["unreadable"] | None = None
    history: tuple[Left, ...] = ()
    missing_wal: Lsn | None = None
    changing: str | None = None
    resumable: BaseWords | None = None
    copied: CopiedWords | None = None
    marked: str | None = None
    process: int | None = None
    server: ServerWords | None = None
    standby_signal: bool = True
    managed_by: str | None = None
    busy: bool = False
    failed_starts: int = 0
    programs: bool = True
    wal_directory: WalDirectoryWords | None = None
    left_tablespaces: tuple[str, ...] = ()
    archive: ArchiveWords | None = None
    archived_wal: tuple[TriedWords, ...] = ()
    left_files: tuple[str, ...] = ()
    configuration: ConfigurationWords = field(default_factory=ConfigurationWords)
    wal: WalWords = field(default_factory=WalWords)
    access: AccessWords = field(default_factory=AccessWords)


@dataclass(frozen=True)
class TablespaceWords:
    """A tablespace of the primary, and what the target has for it.

    The target's directory is its own, missing, moved by the settings, somebody else's, or the same
    as the primary's.
    """

    location: str
    size: Size = Size(5 * GB)
    on_target: OnTarget = "own"
    target_location: str | None = None
    target_size: Size | None = None


@dataclass(frozen=True)
class LoginWords:
    """A connection from the target to the primary that was tried."""

    user: str
    problem: str | None = None
    system_identifier: str = SYSTEM


@dataclass(frozen=True)
class ConnectionsWords:
    """All connections that were tried: those for replication, and those for pg_rewind."""

    replication: tuple[LoginWords, ...] = (LoginWords("repl"),)
    rewind: tuple[LoginWords, ...] = (LoginWords("postgres"),)


@dataclass(frozen=True)
class SourceWords:
    """Another node from which a copy might be read; `minor`: its minor release.

    `problem`: why it could not be examined. `trouble`: what is wrong with it as a standby.
    `backups`: how many copies are being read from it. `unreachable`: what its server tells the
    target. `failed`: why an attempt of this run to read from it failed.
    """

    node: int
    lag: Size = Size(0)
    primary: bool = False
    asked: bool = True
    problem: str | None = None
    trouble: str | None = None
    delay_ms: int = 0
    minor: int = 7
    wal_senders: int = 0
    backups: int = 0
    busy: bool = False
    tablespaces: tuple[str, ...] = ()
    unreachable: str | None = None
    failed: str | None = None


@dataclass(frozen=True)
class FailedWords:
    """A method that has failed in this run already."""

    method: Method
    message: str
    detail: str | None = None
    command: str | None = None


@dataclass(frozen=True)
class ExpectedPlan:
    """A plan, in the words that the operator reads."""

    method: Method
    passed_over: tuple[str, ...]
    old_data: Literal["none", "kept", "changed", "half", "out", "stays", "goes"]
    steps: tuple[str, ...]
    needs: tuple[str, ...] = ()
    moves: str | None = None
    point_of_no_return: str | None = None
    notes: tuple[str, ...] = ()
    meanwhile: str | None = None


@dataclass(frozen=True)
class Refusal:
    """A reason why nothing is done."""

    message: str
    detail: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class ExpectedRefusal:
    """No plan, and all reasons; the first one decides the exit status."""

    exit_status: int
    refused: tuple[Refusal, ...]


Expected = ExpectedPlan | ExpectedRefusal


@dataclass(frozen=True)
class Words:
    """A whole file."""

    title: str
    expect: Expected
    primary: PrimaryWords = field(default_factory=PrimaryWords)
    target: TargetWords = field(default_factory=TargetWords)
    tablespaces: tuple[TablespaceWords, ...] = ()
    filesystems: dict[str, Size] = field(default_factory=lambda: {"/": Size(50 * GB)})
    link: Size | None = None
    backup: BackupWords | None = None
    commands: tuple[CommandWords, ...] = ()
    connections: ConnectionsWords = field(default_factory=ConnectionsWords)
    policy: dict[str, Any] = field(default_factory=dict)
    failed: tuple[FailedWords, ...] = ()
    sources: tuple[SourceWords, ...] | None = None
