"""The settings of /etc/pgpool-recovery.toml; each has a default or is discovered."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NewType

from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.record import field, record
from pgpool_recovery.facts.own_method import OwnMethod
from pgpool_recovery.facts.policy import Policy
from pgpool_recovery.ssh.command import SshSettings

AbsolutePath = NewType("AbsolutePath", str)
Port = NewType("Port", int)
Host = NewType("Host", str)
"""A host name, an address, or the directory of a local socket."""
CommandWords = NewType("CommandWords", tuple[str, ...])
"""A program by its absolute path, and its arguments with placeholders."""
MethodName = NewType("MethodName", str)
PLACEHOLDERS = (
    "method",
    "node",
    "directory",
    "data_directory",
    "keep_data",
    "tablespaces",
    "primary_host",
    "primary_port",
    "primary_user",
    "primary_conninfo",
    "slot",
    "system_identifier",
    "major",
    "bin_directory",
)
TLS_WORDS = ("sslmode", "sslrootcert", "sslcert", "sslkey")


def _given(table: object, names: Iterable[str]) -> dict[str, str]:
    values = {name: getattr(table, name) for name in names}
    return {name: str(value) for name, value in values.items() if value is not None}


@record
class AgentSettings:
    """How the agent is started on a target."""

    command: tuple[str, ...] = ("pgpool-recovery", "agent")
    """The command that ssh runs there."""
    answer_s: float = 300.0
    """How long the agent may take to greet, and to answer a short request."""


@record
class PrimarySettings:
    """The connection to the own server; other parameters come from the server's environment."""

    dbname: str = "postgres"
    user: str | None = None


class SslMode(StrEnum):
    """The values of libpq's sslmode."""

    DISABLE = "disable"
    ALLOW = "allow"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


class ChannelBinding(StrEnum):
    """The values of libpq's channel_binding."""

    DISABLE = "disable"
    PREFER = "prefer"
    REQUIRE = "require"


@record
class ReplicationSettings:
    """How standbys and pg_rewind connect to the primary; roles that are not given are found.

    Any other parameter that is not given is the node's own, or libpq's default. `require_auth` is
    passed to libpq unchanged; an empty value lets the server choose any authentication.
    """

    user: str | None = None
    rewind_user: str | None = None
    sslmode: SslMode | None = None
    sslrootcert: AbsolutePath | None = None
    sslcert: AbsolutePath | None = None
    sslkey: AbsolutePath | None = None
    channel_binding: ChannelBinding | None = None
    require_auth: str | None = None

    @property
    def words(self) -> dict[str, str]:
        """The given parameters, as keywords and values of a connection string."""
        return _given(self, (*TLS_WORDS, "channel_binding", "require_auth"))


@record
class PgBackRestSettings:
    """The stanza of the cluster, if there is a repository to restore from."""

    stanza: str | None = None


@record
class ArchiveSettings:
    """The archive of the cluster's WAL, for nodes whose own settings do not lead to it."""

    restore_command: str | None = None
    """Fetches a WAL file on any node, as restore_command of PostgreSQL does; `%f` and `%p` too."""
    fetch_ahead: bool = True
    """Fetch WAL files from an archive before the server that replays them asks for them."""


class ClusteringMode(StrEnum):
    """Pgpool-II's clustering modes that support online recovery."""

    STREAMING_REPLICATION = "streaming_replication"
    NATIVE_REPLICATION = "native_replication"
    SNAPSHOT_ISOLATION = "snapshot_isolation"

    @property
    def has_second_stage(self) -> bool:
        """Whether Pgpool-II writes to all nodes, and a recovered node is not a standby."""
        return self is not ClusteringMode.STREAMING_REPLICATION


class Promote(StrEnum):
    """Which node a failover promotes: the one that received most, or Pgpool-II's choice."""

    MOST_ADVANCED = "most-advanced"
    MAIN = "main"


class RunningPrimary(StrEnum):
    """What a failover does with a primary that still accepts writes."""

    STOP = "stop"
    REFUSE = "refuse"


class WhenIncomplete(StrEnum):
    """What a failover does if it stopped the primary and no standby has everything it wrote."""

    REFUSE = "refuse"
    PROMOTE = "promote"


@record
class FailoverSettings:
    """The settings of failover_command."""

    promote: Promote = Promote.MOST_ADVANCED
    running_primary: RunningPrimary = RunningPrimary.STOP
    incomplete: WhenIncomplete = WhenIncomplete.REFUSE
    max_lag_mb: int = 16
    """How far a standby may lag behind at most if a running primary is to be stopped."""
    catch_up_s: float = 10.0
    """How long a standby may take to come that close while the primary is running."""
    drop_slot_above_mb: int | None = None
    """How much WAL the slot of a node that is down may retain before it is dropped; None: any."""
    connect_s: float = 5.0
    """The limit for a connection to a node; it is short, since clients wait meanwhile."""


@record
class HistorySettings:
    """In which database recoveries are recorded, and how many are kept."""

    database: str = "postgres"
    keep_runs: int = 1000


@record
class MetricsSettings:
    """Where the text file for Prometheus is written; None: nowhere."""

    textfile: AbsolutePath | None = None


class LogLevel(StrEnum):
    """How much is logged: only the usual messages, or also requests, decisions, commands, waits."""

    INFO = "info"
    DEBUG = "debug"


@record
class LogSettings:
    """What the commands that Pgpool-II and the server call log (log/note.py)."""

    level: LogLevel = LogLevel.INFO

    @property
    def is_debugging(self) -> bool:
        """Whether everything is logged."""
        return self.level is LogLevel.DEBUG


@record
class TimeoutSettings:
    """Time limits, in seconds."""

    check_s: float = 60.0
    """For a check of all nodes."""
    connect_s: float = 5.0
    """For a connection to a server, on the primary's host and on the target's."""
    observe_s: float = 1800.0
    """For examining a data directory, however many files it has."""
    repository_s: float = 30.0
    """For pgBackRest to report what is in its repository."""
    archive_s: float = 10.0
    """For a restore_command to return a history file, or to fail."""
    stall_s: float = 900.0
    """For a transfer that makes no progress."""
    backup_start_s: float = 600.0
    """For an incremental base backup to start."""
    silence_s: float = 120.0
    """For the next byte of an incremental base backup."""
    step_s: float = 86400.0
    """For any other step."""
    undo_s: float = 600.0
    """For undoing a failed run, on the target and on the primary."""
    stop_s: float = 300.0
    """For a server to stop."""
    start_s: float = 3600.0
    """For a server to accept connections after its start."""
    streaming_s: float = 60.0
    """For it to stream after that."""
    catch_up_s: float = 3600.0
    """For it to catch up after that."""
    promote_s: float = 60.0
    """For a promotion."""


@record
class PgpoolSettings:
    """What must be known of pgpool.conf, and how interactive commands reach Pgpool-II and nodes.

    The ssl settings are for SQL connections. The limits are in seconds.
    """

    backend_clustering_mode: ClusteringMode = ClusteringMode.STREAMING_REPLICATION
    """As in pgpool.conf."""
    host: Host | None = None
    """The host on which Pgpool-II listens for PCP; None: the local sockets are tried."""
    pcp_port: Port = Port(9898)
    """As in pgpool.conf."""
    pcp_user: str | None = None
    """A user of pcp.conf; None: one with the name of the operating system user."""
    pcp_pass_file: AbsolutePath | None = None
    """The file with the password for PCP; None: $PCPPASSFILE, or ~/.pcppass."""
    user: str | None = None
    """The role for SQL on the nodes; None: recovery_user of pgpool.conf."""
    dbname: str | None = None
    """A database with the extension; None: the first one that is found to have it."""
    sslmode: SslMode | None = None
    sslrootcert: AbsolutePath | None = None
    sslcert: AbsolutePath | None = None
    sslkey: AbsolutePath | None = None
    connect_s: float = 10.0
    """For a connection to Pgpool-II or a node."""
    answer_s: float = 15.0
    """For Pgpool-II, or a node, to answer."""
    change_s: float = 60.0
    """For Pgpool-II to attach, detach or promote a node after the request."""
    plan_s: float = 600.0
    """For a plan, and for a check."""
    recovery_s: float = 86400.0
    """For a recovery; one that Pgpool-II runs goes on after that."""

    @property
    def words(self) -> dict[str, str]:
        """How SQL connections verify a server, as keywords and values of a connection string."""
        return _given(self, TLS_WORDS)


@record
class NodeSettings:
    """The settings of one node.

    pgpool_remote_start does not get the node id, so it finds a node by its `host` and, if given,
    its `data_directory`, both as in pgpool.conf. `port` is for a recovery without Pgpool-II.
    """

    host: Host | None = None
    port: Port | None = None
    data_directory: AbsolutePath | None = None
    bin_directory: AbsolutePath | None = None
    wal_directory: AbsolutePath | None = None
    tablespace_mapping: dict[AbsolutePath, AbsolutePath] = field(default_factory=dict)
    start_command: tuple[str, ...] = ()

    def is_of(self, target: Target) -> bool:
        """Return whether these are the settings of a target whose node id is not known."""
        return self.host == target.host and self.data_directory in (None, target.data_directory)


@record
class MethodSettings:
    """A command that makes the data directory, as a method of the user's own.

    `command` has placeholders (PLACEHOLDERS); `nodes` are the nodes that it is for, all if there
    are none.
    """

    command: CommandWords = CommandWords(())
    keep_data: bool = False
    in_backup: bool = False
    nodes: tuple[NodeId, ...] = ()
    timeout_s: float | None = None
    """The whole command; None lets it take as long as it likes."""
    stall_s: float | None = None
    """How long it may print nothing; None is no limit."""


@record
class Settings:
    """All tables of the file."""

    ssh: SshSettings = field(default_factory=SshSettings)
    agent: AgentSettings = field(default_factory=AgentSettings)
    primary: PrimarySettings = field(default_factory=PrimarySettings)
    replication: ReplicationSettings = field(default_factory=ReplicationSettings)
    pgbackrest: PgBackRestSettings = field(default_factory=PgBackRestSettings)
    archive: ArchiveSettings = field(default_factory=ArchiveSettings)
    pgpool: PgpoolSettings = field(default_factory=PgpoolSettings)
    failover: FailoverSettings = field(default_factory=FailoverSettings)
    history: HistorySettings = field(default_factory=HistorySettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    log: LogSettings = field(default_factory=LogSettings)
    policy: Policy = field(default_factory=Policy)
    timeout: TimeoutSettings = field(default_factory=TimeoutSettings)
    node: dict[NodeId, NodeSettings] = field(default_factory=dict)
    method: dict[MethodName, MethodSettings] = field(default_factory=dict)

    def of_target(self, target: Target) -> NodeSettings:
        """Return the settings of a target's node; the defaults if the file does not list it."""
        if target.node_id is not None:
            return self.node.get(target.node_id, NodeSettings())
        return next((node for node in self.node.values() if node.is_of(target)), NodeSettings())

    def methods_of(self, target: Target) -> tuple[OwnMethod, ...]:
        """Return the commands that may make the data of a target, in the order of the file."""
        ids = {target.node_id} if target.node_id is not None else set[NodeId | None]()
        ids |= {node_id for node_id, node in self.node.items() if node.is_of(target)}
        return tuple(
            OwnMethod(name, one.command, one.keep_data, one.in_backup, one.timeout_s, one.stall_s)
            for name, one in self.method.items()
            if not one.nodes or ids & set(one.nodes)
        )
