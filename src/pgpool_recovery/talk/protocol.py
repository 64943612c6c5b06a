"""The messages between runner and agent: for each request, events and then one answer.

Each message is a line of JSON. The docstring of a request says what the agent does, in the
imperative, and what it answers.
"""

from typing import Any, Generic, TypeVar

from pgpool_recovery.domain.event import Event
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.slot import FormerSlot
from pgpool_recovery.domain.standby import StandbyFacts
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import History, Point, TimelineId
from pgpool_recovery.facts.archived_history import Archive
from pgpool_recovery.facts.archived_wal import WalTrial, WantedWal
from pgpool_recovery.facts.backup import Backup, NoBackup
from pgpool_recovery.facts.blocks import (
    BlockFormat,
    BlockSource,
    BlockTarget,
    FileBackup,
    SentBlocks,
)
from pgpool_recovery.facts.facts import Conninfo, LocalWal, Login, RelationSegment, TargetFacts
from pgpool_recovery.facts.node import Confinement, PeerFacts, Surroundings
from pgpool_recovery.facts.own_wal import Part
from pgpool_recovery.facts.running import Running
from pgpool_recovery.facts.source import SourceServer
from pgpool_recovery.facts.step import Delta, Incremental, TargetStep
from pgpool_recovery.ssh.command import SshSettings

PROTOCOL = 6
"""Raised whenever a message changes (tests/unit/talk/test_protocol.py). When the numbers differ,
both ends report another protocol instead of guessing. A request that an agent offers in its
greeting may be added without that."""
HEARTBEAT_S = 5.0
SILENCE_S = 30.0
"""An agent that receives nothing for this long, six heartbeats, assumes that the link is lost."""

T = TypeVar("T")


class Asks(Generic[T]):
    """A request that is answered with a T; a request of no such class is never answered."""


@record
class Greeting:
    """The agent's first line; what a login shell prints before it is ignored.

    Its fields are those of all builds, so that each can report another protocol. `agent` is the
    name of the program, followed by the requests that this agent offers: it answers them, although
    other builds of its protocol do not. A runner sends these only to an agent that offers them, so
    a node can be updated before another.
    """

    agent: str
    protocol: int
    version: str

    @property
    def offers(self) -> tuple[str, ...]:
        """The names of the requests that the agent offers."""
        return tuple(self.agent.split()[1:])


@record
class Limits:
    """How long the agent waits, as set on the primary."""

    connect_s: float = 5.0
    """For a connection to a server, including the login."""
    backup_start_s: float = 600.0
    """For an incremental base backup to begin; first come its checkpoint and its WAL summaries."""
    silence_s: float = 120.0
    """For the next byte of an incremental base backup."""
    undo_s: float = 600.0
    """For its undo when the runner is gone; after that it exits."""


@record
class Hello:
    """The runner's first line, never answered: its version and how long the agent may wait."""

    version: str
    limits: Limits
    logs: bool = False
    """Whether the agent sends its log lines as well."""


@record
class WantedTablespace:
    """A tablespace of the primary; the target reports where its own one is or would be."""

    oid: int
    location: str
    directory: str


@record
class Tidy(Asks[None]):
    """Finish or undo what an interrupted run left half done in a data directory."""

    data_directory: str


@record
class IsTidy(Asks[bool]):
    """Return whether `Tidy` would find nothing to do; change nothing."""

    data_directory: str


@record
class StateSeen:
    """The state of a target, as its files show it; `what` describes them.

    With `is_certain` an operator finds the target in that state, whatever a run has done. Otherwise
    it is only what can be seen, and the agent of the run knows more.
    """

    state: TargetState
    what: str
    is_certain: bool = True


@record
class AskState(Asks[StateSeen]):
    """Return the state of a data directory, for a runner that lost the agent that changed it.

    Change nothing.
    """

    data_directory: str


@record
class Observe(Asks[TargetFacts]):
    """Return all facts about a data directory; change nothing."""

    data_directory: str
    major: int
    bin_directories: tuple[str, ...]
    tablespaces: tuple[WantedTablespace, ...]
    tablespace_mapping: dict[str, str]
    wal_directory: str | None
    timelines: tuple[TimelineId, ...]
    segment_bytes: int
    start_command: tuple[str, ...] = ()


@record
class DigestWal(Asks[tuple[str | None, ...]]):
    """Return the SHA-256 of parts of files in pg_wal, None for each part that is missing."""

    data_directory: str
    parts: tuple[Part, ...]


@record
class TryLogins(Asks[tuple[Login, ...]]):
    """Try to connect with each connection string, for replication or for SQL."""

    candidates: tuple[Conninfo, ...]
    is_replication: bool = True


@record
class LookAround(Asks[Surroundings]):
    """Return what the host has apart from the data directory; change nothing.

    `dbname` and `user` are those with which the stage commands log in to their own server.
    """

    data_directory: str
    scripts: tuple[str, ...]
    dbname: str
    user: str | None


@record
class AskConfinement(Asks[Confinement | None]):
    """Return how SELinux confines the running server of a data directory; change nothing.

    Only for an agent that offers it.
    """

    data_directory: str


@record
class Peer:
    """Another node, and the connection strings to try there, for replication and for SQL.

    With `is_known` it is a node of the cluster, so a password may be sent to it. Otherwise that
    must be proved first (agent/observe/peer_trials.py).
    """

    name: str
    host: str
    candidates: tuple[Conninfo, ...]
    sql_candidates: tuple[Conninfo, ...]
    is_known: bool


@record
class TryPeers(Asks[tuple[PeerFacts, ...]]):
    """Start an agent on each of the other nodes and log in to its server, all in parallel."""

    peers: tuple[Peer, ...]
    ssh: SshSettings
    agent_command: tuple[str, ...]
    timeout_s: float


@record
class LookForBackup(Asks[Backup | NoBackup]):
    """Return the backup that a restore would use, or why there is none.

    `timeout_s` limits each query for backups, `archive_s` each access to the archive.
    """

    stanza: str
    timeout_s: float
    archive_s: float


@record
class LookForPrograms(Asks[tuple[str | None, ...]]):
    """Return for each program why it cannot be run, None if it can."""

    programs: tuple[str, ...]


@record
class Made:
    """What a command has made; `end` is where its backup ends, if that is known."""

    facts: TargetFacts
    end: Point | None


@record
class AskMade(Asks[Made]):
    """Return the facts about a directory that a command of this conversation has made."""

    wanted: Observe


@record
class WriteLabel(Asks[None]):
    """Write the backup_label of a backup into the directory that a command has made."""

    directory: str
    label: str


@record
class AskArchive(Asks[Archive]):
    """Run a restore_command for history files, as the server of a data directory will run it.

    `command` is the one with which that server would start. `history` is the primary's. The command
    is run for its timelines from `since` on, and for the next ones. `timeout_s` limits each call.
    """

    data_directory: str
    command: str
    history: History
    since: TimelineId
    timeout_s: float


@record
class TryArchive(Asks[WalTrial]):
    """Run a restore_command for WAL files, as the server of a data directory will run it.

    Each file goes to a place where no server reads it, and is removed. Return what each one is, up
    to the first one that the command does not deliver, for each of which it is called up to `calls`
    times. `timeout_s` limits each call, and `within_s` all of them together: if that time is over,
    the file that was to come and those after it are left out. None is no such limit.
    """

    data_directory: str
    command: str
    wanted: tuple[WantedWal, ...]
    segment_bytes: int
    timeout_s: float
    within_s: float | None = None
    calls: int = 1


@record
class ReadBase(Asks[LocalWal]):
    """Return which WAL a changed directory has, and from which position on it will need more."""

    directory: str
    bin_directory: str
    timelines: tuple[TimelineId, ...]
    segment_bytes: int


@record
class BeginIncremental(Asks[Point]):
    """Have the primary begin an incremental base backup; return its start, change nothing."""

    step: Incremental
    left_out: tuple[RelationSegment, ...]


@record
class ApplyIncremental(Asks[TargetState]):
    """Write the backup that was begun into the directory; return the same as `TakeStep`."""

    step: Incremental


@record
class AbortIncremental(Asks[None]):
    """Abort the backup that was begun; nothing has been changed."""


@record
class DeltaBegun:
    """Where receivers write, and how many processors the target has."""

    target: BlockTarget
    processors: int


@record
class BeginDelta(Asks[DeltaBegun]):
    """Guard the directory, so that no server starts in it, and return where receivers write.

    `start` is where the backup begins that the source's files are read in, `format` how they are
    made, and `tablespaces` where the source has each tablespace, by OID.
    """

    step: Delta
    start: Point
    format: BlockFormat
    tablespaces: dict[int, str]


@record
class Expect(Asks[None]):
    """Make these directories, and remember what will have been received; `CommitDelta` keeps that.

    Paths are relative to the data directory.
    """

    directories: tuple[str, ...]
    files: tuple[str, ...]


@record
class CommitDelta(Asks[TargetState]):
    """Remove what is not expected, and make the directory one that a standby can start in.

    `label` is the backup_label of the backup. `vanished` are files that were expected, but that the
    source no longer had. Return the same as `TakeStep`.
    """

    step: Delta
    label: str
    vanished: tuple[str, ...]


@record
class StartFileBackup(Asks[FileBackup]):
    """Begin a backup of the running server's files, in a session that stays open; return its start.

    The backup ends with the session, and the session with the conversation. The login is the one of
    `AskRunning`. `answer_s` limits the start, which waits for a checkpoint or a restartpoint.
    """

    data_directory: str
    dbname: str
    user: str | None
    label: str
    answer_s: float


@record
class SeeFileBackup(Asks[None]):
    """Fail if the session with the backup is lost."""


@record
class StopFileBackup(Asks[str]):
    """End the backup that was begun; return the contents of its backup_label."""


@record
class OpenChannel(Asks[None]):
    """Start a receiver with these words, and open a channel to it for the blocks that differ.

    The channel is closed if the receiver sends nothing for `silence_s`.
    """

    source: BlockSource
    target: BlockTarget
    receiver: tuple[str, ...]
    silence_s: float


@record
class FilePage:
    """A part of the list of a server's files, with their sizes, and of its directories.

    `has_more`: the next part begins after the last path of this one.
    """

    directories: tuple[str, ...]
    files: dict[str, int]
    has_more: bool


@record
class ListFiles(Asks[FilePage]):
    """Return the next files and directories of the server after this path, as a backup has them."""

    after: str | None
    limit: int


@record
class SendFiles(Asks[SentBlocks]):
    """Compare these files with the receiver's, and send the blocks that differ.

    Answer when all of them are on the target's disk; after a failure the channel is closed. At most
    `max_bytes_per_s` are read, None: without a limit. Emit `Progress` with the bytes that were read
    since this request began.
    """

    paths: tuple[str, ...]
    max_bytes_per_s: int | None


@record
class CloseChannel(Asks[None]):
    """End the receiver; all that was sent is written already."""


@record
class ReceiveBlocks(Asks[bool]):
    """Receive blocks: after the answer, standard input and output carry frames, not messages.

    Return whether the blocks may be compressed. Whether it fails or not, this is the last request.
    """

    target: BlockTarget
    silence_s: float


@record
class AskRunning(Asks[Running]):
    """Return what the running server of a data directory reports about itself; change nothing.

    `dbname` and `user` are those with which the stage commands log in to their own server.
    `history` is the primary's; without it the WAL records that were received are not examined.
    """

    data_directory: str
    dbname: str
    user: str | None
    bin_directory: str | None = None
    history: History | None = None


@record
class AskStandby(Asks[StandbyFacts]):
    """Return the facts about a standby that was started, or pointed at the primary; change nothing.

    `slot_name` is the slot that it should stream from; the login is the one of `AskRunning`.
    """

    data_directory: str
    dbname: str
    user: str | None
    bin_directory: str | None
    slot_name: str | None


@record
class AskSource(Asks[SourceServer]):
    """Return what a base backup of the running server needs to know; change nothing.

    The fields are those of `AskStandby`.
    """

    data_directory: str
    dbname: str
    user: str | None
    slot_name: str | None


@record
class Believe(Asks[None]):
    """Leave the server that `Start` has started alone from now on: it is what it should be."""

    data_directory: str


@record
class StopAtOnce(Asks[bool]):
    """Stop the server of a data directory, in immediate mode if it takes too long otherwise.

    Return whether it was a clean shutdown. `has_failed` is added to the number of failed starts.
    """

    data_directory: str
    bin_directories: tuple[str, ...]
    timeout_s: float
    has_failed: int


@record
class LogPosition:
    """Where in a server's log the lines of its last start begin."""

    file: str
    offset: int


@record
class FindLog(Asks[LogPosition | None]):
    """Return the log of a running server, from its beginning; None if it cannot be determined."""

    data_directory: str


@record
class StopServer(Asks[None]):
    """Stop the server of a data directory."""

    data_directory: str
    bin_directories: tuple[str, ...]
    timeout_s: float


@record
class TakeStep(Asks[TargetState]):
    """Take one step of the plan; it is undone when the conversation ends before `Finish`.

    Return the state of the target that the journal then shows. A transfer that makes no progress
    for `stall_s` is aborted.
    """

    step: TargetStep
    stall_s: float


@record
class Undo(Asks[TargetState]):
    """Undo all steps, the last one first; return the state of the target."""


@record
class Finish(Asks[None]):
    """Undo nothing from now on: the plan has been carried out."""


@record
class ReadSlotName(Asks[str | None]):
    """Return the slot that a standby will stream from, according to its files."""

    data_directory: str


@record
class Guarded:
    """How to log in to a server that is guarded, and the primary's history, if known.

    `stop_s` limits the time for stopping it.
    """

    dbname: str
    user: str | None
    history: History | None
    stop_s: float


@record
class Started:
    """The server that `Start` found running or has started; `bin_directory` has its programs."""

    was_running: bool
    bin_directory: str
    is_standby: bool
    slot_name: str | None
    former_slot_name: str | None
    port: int
    log: LogPosition | None


@record
class Start(Asks[Started]):
    """Start the server of a data directory and wait until it accepts connections.

    With `guarded` the agent stops the server if it turns out not to be a standby of the primary,
    until the runner sends `Believe`. It does so even when the runner is gone.
    """

    data_directory: str
    bin_directories: tuple[str, ...]
    start_command: tuple[str, ...]
    timeout_s: float
    guarded: Guarded | None = None


@record
class ReadLog(Asks[str]):
    """Return the last lines of the started server's log."""

    log: LogPosition


@record
class DiscardOld(Asks[bool]):
    """Remove the old data that waits in the workspace; return whether there was any."""

    data_directory: str


@record
class DropFormerSlots(Asks[tuple[FormerSlot, ...]]):
    """Drop the slots that a standby has from its own time as primary; return what it had.

    `dbname` and `user` are those with which the stage commands log in to their own server.
    `failover_slots` are the primary's.
    """

    data_directory: str
    dbname: str
    user: str | None
    failover_slots: tuple[str, ...]


@record
class MakeIndependent(Asks[int]):
    """Promote the standby and set its sequences to these values; return how many were not set.

    `sequences` has, for each database, the last values by the sequences' OIDs. `timeout_s` limits
    the promotion.
    """

    data_directory: str
    sequences: dict[str, dict[int, int]]
    timeout_s: float


@record
class Weigh(Asks[int]):
    """Return the length of the text; the time that this takes shows how fast the link is."""

    text: str


@record
class Ping:
    """A heartbeat; never answered."""


Request = (
    Tidy
    | IsTidy
    | AskState
    | Observe
    | DigestWal
    | TryLogins
    | LookAround
    | AskConfinement
    | TryPeers
    | LookForBackup
    | LookForPrograms
    | WriteLabel
    | AskMade
    | AskArchive
    | TryArchive
    | ReadBase
    | BeginIncremental
    | ApplyIncremental
    | AbortIncremental
    | BeginDelta
    | Expect
    | CommitDelta
    | StartFileBackup
    | SeeFileBackup
    | StopFileBackup
    | OpenChannel
    | ListFiles
    | SendFiles
    | CloseChannel
    | ReceiveBlocks
    | AskRunning
    | AskStandby
    | AskSource
    | Believe
    | StopAtOnce
    | FindLog
    | StopServer
    | TakeStep
    | Undo
    | Finish
    | ReadSlotName
    | Start
    | ReadLog
    | DiscardOld
    | DropFormerSlots
    | MakeIndependent
    | Weigh
    | Hello
    | Ping
)


@record
class Answer:
    """The end of a request: its result in JSON types, or the record of a failure."""

    result: Any = None
    failure: dict[str, Any] | None = None


@record
class Failure:
    """The record of a failure, as made by `RecoveryError.as_record`."""

    error: str
    message: str
    detail: str | None
    hint: str | None
    target: TargetState
    exit_status: int
    sqlstate: str


@record
class Farewell:
    """The agent's last line, after it has undone what was not finished.

    `state` is that of the target then, None when there was nothing to undo.
    """

    state: TargetState | None


@record
class Logged:
    """A line of the agent's log, for the runner's log."""

    line: str


AGENT = " ".join(("pgpool-recovery", AskConfinement.__name__))
"""What `Greeting.agent` is in this build; after a higher PROTOCOL, nothing need be offered."""

Message = Greeting | Answer | Farewell | Logged | Event
