"""The messages between runner and agent: JSON lines, a request and its events and one answer."""

from typing import Any, Generic, TypeVar

from pgpool_recovery.domain.event import Event
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.slot import FormerSlot
from pgpool_recovery.domain.standby import StandbyFacts
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import History, Point, TimelineId
from pgpool_recovery.facts.archived_history import Archive
from pgpool_recovery.facts.backup import Backup, NoBackup
from pgpool_recovery.facts.facts import Conninfo, LocalWal, Login, RelationSegment, TargetFacts
from pgpool_recovery.facts.node import PeerFacts, Surroundings
from pgpool_recovery.facts.own_wal import Part
from pgpool_recovery.facts.running import Running
from pgpool_recovery.facts.step import Incremental, TargetStep
from pgpool_recovery.ssh.command import SshSettings

PROTOCOL = 5
"""Raised whenever a message changes (tests/unit/talk/test_protocol.py): another number is
another protocol, and both ends say so instead of guessing."""
HEARTBEAT_S = 5.0
SILENCE_S = 30.0
"""An agent that hears nothing for so long takes the link for lost; six heartbeats."""

T = TypeVar("T")


class Asks(Generic[T]):
    """A request, and by T what it is answered with; those that are no such are never answered."""


@record
class Greeting:
    """The agent's first line; what a login shell writes before it is passed over."""

    agent: str
    protocol: int
    version: str


@record
class Limits:
    """How long the agent waits, as the settings on the primary say."""

    connect_s: float = 5.0
    """For a connection to a server, to log in included."""
    backup_start_s: float = 600.0
    """For an incremental base backup to begin, after its checkpoint and its WAL summaries."""
    silence_s: float = 120.0
    """For the next byte of an incremental base backup."""
    undo_s: float = 600.0
    """For what it takes back when nobody is there any more; then it is gone."""


@record
class Hello:
    """The runner's first line, never answered: who asks, and how long the agent may wait."""

    version: str
    limits: Limits
    logs: bool = False
    """Whether the agent tells what it logs as well."""


@record
class WantedTablespace:
    """A tablespace of the primary: the target shall say where its own one is or would be."""

    oid: int
    location: str
    directory: str


@record
class Tidy(Asks[None]):
    """Finish or put back what an interrupted run left half done in a data directory."""

    data_directory: str


@record
class IsTidy(Asks[bool]):
    """Say whether `Tidy` would find nothing to do; changes nothing."""

    data_directory: str


@record
class StateSeen:
    """What stands at the place of a target.

    `is_certain`: that is what an operator finds there, whatever a run has done; otherwise it only
    says what can be seen, and whoever has run it knows more.
    """

    state: TargetState
    what: str
    is_certain: bool = True


@record
class AskState(Asks[StateSeen]):
    """Say in which state a data directory is found, for somebody who has lost whoever changed it.

    Answered by StateSeen; changes nothing.
    """

    data_directory: str


@record
class Observe(Asks[TargetFacts]):
    """Learn all there is to know about a data directory; changes nothing."""

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
    """Return the SHA-256 of parts of files in pg_wal, None of those that are not there."""

    data_directory: str
    parts: tuple[Part, ...]


@record
class TryLogins(Asks[tuple[Login, ...]]):
    """Open a connection with each connection string: a replication connection, or one for SQL."""

    candidates: tuple[Conninfo, ...]
    is_replication: bool = True


@record
class LookAround(Asks[Surroundings]):
    """Return what there is on the host besides the data; changes nothing.

    `dbname` and `user` are those of the stage commands' login to their own server.
    """

    data_directory: str
    scripts: tuple[str, ...]
    dbname: str
    user: str | None


@record
class Peer:
    """Another node, and the connection strings to try there, to replicate and for SQL.

    `is_known`: it is a node of the cluster, so that a password may go there; else that is to be
    proved first (agent/observe/peer_trials.py).
    """

    name: str
    host: str
    candidates: tuple[Conninfo, ...]
    sql_candidates: tuple[Conninfo, ...]
    is_known: bool


@record
class TryPeers(Asks[tuple[PeerFacts, ...]]):
    """Start an agent on each of the other nodes and log in to its server, all at once."""

    peers: tuple[Peer, ...]
    ssh: SshSettings
    agent_command: tuple[str, ...]
    timeout_s: float


@record
class LookForBackup(Asks[Backup | NoBackup]):
    """Return the backup that a restore would take, or why there is none.

    `timeout_s` is for each look at backups, `archive_s` for each at the archive.
    """

    stanza: str
    timeout_s: float
    archive_s: float


@record
class AskArchive(Asks[Archive]):
    """Ask a restore_command for history files, as the server of a data directory will ask it.

    `command` is the one with which that server would start. `history` is the primary's; of its
    timelines those from `since` on are asked for, and the next ones. `timeout_s` is for each call.
    """

    data_directory: str
    command: str
    history: History
    since: TimelineId
    timeout_s: float


@record
class ReadBase(Asks[LocalWal]):
    """Return what WAL a directory that was changed has, and from where on it will need more."""

    directory: str
    bin_directory: str
    timelines: tuple[TimelineId, ...]
    segment_bytes: int


@record
class BeginIncremental(Asks[Point]):
    """Have the primary begin an incremental base backup; answered by its start, nothing changes."""

    step: Incremental
    left_out: tuple[RelationSegment, ...]


@record
class ApplyIncremental(Asks[TargetState]):
    """Write the backup that was begun onto the directory; answered as `TakeStep` is."""

    step: Incremental


@record
class AbortIncremental(Asks[None]):
    """Give up the backup that was begun; nothing was changed."""


@record
class AskRunning(Asks[Running]):
    """Return what the server of a data directory says of itself while it runs; changes nothing.

    `dbname` and `user` are those of the stage commands' login to their own server. `history` is the
    primary's; without one nobody looks at the records that were received.
    """

    data_directory: str
    dbname: str
    user: str | None
    bin_directory: str | None = None
    history: History | None = None


@record
class AskStandby(Asks[StandbyFacts]):
    """Return what a server that was started, or led here, is as a standby; changes nothing.

    `slot_name` is the one by which it is to stream; the login is that of `AskRunning`.
    """

    data_directory: str
    dbname: str
    user: str | None
    bin_directory: str | None
    slot_name: str | None


@record
class Believe(Asks[None]):
    """The server that `Start` has started is what it should be: from now on it is left alone."""

    data_directory: str


@record
class StopAtOnce(Asks[bool]):
    """Stop the server of a data directory, in immediate mode when it takes too long otherwise.

    Answered by whether it ended in an orderly way. `has_failed` counts as so many failed starts.
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
    """Return the log of a server that runs, from its begin; None when nobody can know."""

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

    Answered by the TargetState that the journal says then. A transfer that stands still for
    `stall_s` is given up.
    """

    step: TargetStep
    stall_s: float


@record
class Undo(Asks[TargetState]):
    """Take back all steps, the last one first; answered by the state of the target."""


@record
class Finish(Asks[None]):
    """The plan has been carried out: from now on nothing is taken back."""


@record
class ReadSlotName(Asks[str | None]):
    """Return the slot by which a standby will stream, as its files have it."""

    data_directory: str


@record
class Guarded:
    """How to log in to a server that is guarded, and the primary's history, as far as known."""

    dbname: str
    user: str | None
    history: History | None
    stop_s: float


@record
class Started:
    """The server that `Start` found running or started; `bin_directory` has its programs."""

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

    `guarded`: until `Believe` the agent stops it when it turns out to be no standby of the primary,
    also when nobody is there any more who could tell it.
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
    """Remove the old data that waits beside a data directory; answered by its bytes."""

    data_directory: str


@record
class DropFormerSlots(Asks[tuple[FormerSlot, ...]]):
    """Drop what a standby has of slots from its own time as primary; answered by what there was.

    `dbname` and `user` are those of the stage commands' login to their own server. `failover_slots`
    are the primary's.
    """

    data_directory: str
    dbname: str
    user: str | None
    failover_slots: tuple[str, ...]


@record
class MakeIndependent(Asks[int]):
    """Promote the standby, and set its sequences to these values; answered by how many were not.

    `sequences`: for each database the last values by OID. `timeout_s` is for the promotion.
    """

    data_directory: str
    sequences: dict[str, dict[int, int]]
    timeout_s: float


@record
class Weigh(Asks[int]):
    """Answered by the length of the text: how long that takes tells how fast the link is."""

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
    | TryPeers
    | LookForBackup
    | AskArchive
    | ReadBase
    | BeginIncremental
    | ApplyIncremental
    | AbortIncremental
    | AskRunning
    | AskStandby
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
    """The record of a failure, as `RecoveryError.as_record` makes it."""

    error: str
    message: str
    detail: str | None
    hint: str | None
    target: TargetState
    exit_status: int
    sqlstate: str


@record
class Farewell:
    """The agent's last line: what it has left, once it has taken back what was not finished.

    `state` is None when there was nothing to take back.
    """

    state: TargetState | None


@record
class Logged:
    """A line of the agent's log, for that of the runner."""

    line: str


Message = Greeting | Answer | Farewell | Logged | Event
