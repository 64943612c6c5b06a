"""The requests about the target's host, and what it reaches: other nodes, archives, programs."""

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import History, TimelineId
from pgpool_recovery.facts.archived_history import Archive
from pgpool_recovery.facts.archived_wal import WalTrial, WantedWal
from pgpool_recovery.facts.backup import Backup, NoBackup
from pgpool_recovery.facts.facts import Conninfo, Login
from pgpool_recovery.facts.node import Confinement, PeerFacts, Surroundings
from pgpool_recovery.ssh.command import SshSettings
from pgpool_recovery.talk.request.asks import Asks


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
    the file that was to come and those after it are left out. None is no such limit. With `at_once`
    above 1, that many files are requested at the same time. What does not come then is requested
    again by itself, unless the command did not end in time: then that file and all after it are
    left out.
    """

    data_directory: str
    command: str
    wanted: tuple[WantedWal, ...]
    segment_bytes: int
    timeout_s: float
    within_s: float | None = None
    calls: int = 1
    at_once: int = 1


HostRequest = (
    TryLogins
    | LookAround
    | AskConfinement
    | TryPeers
    | LookForBackup
    | LookForPrograms
    | AskArchive
    | TryArchive
)
