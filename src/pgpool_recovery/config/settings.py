"""What /etc/pgpool-recovery.toml may say; every setting has a default or is discovered."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NewType

from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.record import field, record
from pgpool_recovery.facts.policy import Policy
from pgpool_recovery.ssh.command import SshSettings

AbsolutePath = NewType("AbsolutePath", str)
Port = NewType("Port", int)
Host = NewType("Host", str)
"""A name, an address, or the directory of a local socket."""
TLS_WORDS = ("sslmode", "sslrootcert", "sslcert", "sslkey")


def _given(table: object, names: Iterable[str]) -> dict[str, str]:
    values = {name: getattr(table, name) for name in names}
    return {name: str(value) for name, value in values.items() if value is not None}


@record
class AgentSettings:
    """How the agent is called on a target."""

    command: tuple[str, ...] = ("pgpool-recovery", "agent")
    """What ssh starts there."""
    answer_s: float = 300.0
    """For the agent to greet, and to answer a short question."""


@record
class PrimarySettings:
    """The connection to the own server; what is left out comes from the server's environment."""

    dbname: str = "postgres"
    user: str | None = None


class SslMode(StrEnum):
    """What libpq's sslmode may be."""

    DISABLE = "disable"
    ALLOW = "allow"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


class ChannelBinding(StrEnum):
    """What libpq's channel_binding may be."""

    DISABLE = "disable"
    PREFER = "prefer"
    REQUIRE = "require"


@record
class ReplicationSettings:
    """How standbys and pg_rewind connect to the primary; the roles are found when not given.

    What is not given of the others is the node's own, or libpq's default. `require_auth` goes to
    libpq as it is; an empty one lets the server ask for what it likes.
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
        """What is given, as words of a connection string."""
        return _given(self, (*TLS_WORDS, "channel_binding", "require_auth"))


@record
class PgBackRestSettings:
    """The stanza of the cluster, when there is a repository to restore from."""

    stanza: str | None = None


class ClusteringMode(StrEnum):
    """Pgpool-II's modes that know an online recovery."""

    STREAMING_REPLICATION = "streaming_replication"
    NATIVE_REPLICATION = "native_replication"
    SNAPSHOT_ISOLATION = "snapshot_isolation"

    @property
    def has_second_stage(self) -> bool:
        """Whether Pgpool-II writes to all nodes, and a node that was recovered is on its own."""
        return self is not ClusteringMode.STREAMING_REPLICATION


class Promote(StrEnum):
    """Whom a failover promotes: who has received most, or whom Pgpool-II chose."""

    MOST_ADVANCED = "most-advanced"
    MAIN = "main"


class RunningPrimary(StrEnum):
    """What a failover does with a primary that still accepts writes."""

    STOP = "stop"
    REFUSE = "refuse"


class WhenIncomplete(StrEnum):
    """What a failover does that has stopped the primary, when no standby has all that it wrote."""

    REFUSE = "refuse"
    PROMOTE = "promote"


@record
class FailoverSettings:
    """What failover_command does."""

    promote: Promote = Promote.MOST_ADVANCED
    running_primary: RunningPrimary = RunningPrimary.STOP
    incomplete: WhenIncomplete = WhenIncomplete.REFUSE
    max_lag_mb: int = 16
    """How far behind a standby may be at most, for the primary that lives to be stopped."""
    catch_up_s: float = 10.0
    """For a standby to come so near while the primary goes on."""
    drop_slot_above_mb: int | None = None
    """How much WAL the slot of a node that is down may keep, before it is dropped; None: any."""
    connect_s: float = 5.0
    """For a connection to a node; shorter than for people, since clients wait meanwhile."""


@record
class HistorySettings:
    """In which database recoveries are on record, and how many of them."""

    database: str = "postgres"
    keep_runs: int = 1000


@record
class MetricsSettings:
    """Where the text file for Prometheus is written, when it is wanted."""

    textfile: AbsolutePath | None = None


class LogLevel(StrEnum):
    """How much is logged: what is told anyway, or also what was asked, decided, run and awaited."""

    INFO = "info"
    DEBUG = "debug"


@record
class LogSettings:
    """What the commands log that Pgpool-II and the server call (log/note.py)."""

    level: LogLevel = LogLevel.INFO

    @property
    def is_debugging(self) -> bool:
        """Whether all of it is logged."""
        return self.level is LogLevel.DEBUG


@record
class TimeoutSettings:
    """How long is waited, in seconds."""

    check_s: float = 60.0
    """For a check of all nodes."""
    connect_s: float = 5.0
    """For a connection to a server, on the primary's host and on the target's."""
    observe_s: float = 1800.0
    """For the look at a data directory, however many files it has."""
    repository_s: float = 30.0
    """For what pgBackRest says of its repository."""
    archive_s: float = 10.0
    """For a restore_command to say whether its archive has a history file."""
    stall_s: float = 900.0
    """For a transfer that does not get on."""
    backup_start_s: float = 600.0
    """For an incremental base backup to begin."""
    silence_s: float = 120.0
    """For the next byte of an incremental base backup."""
    step_s: float = 86400.0
    """For any other step."""
    undo_s: float = 600.0
    """For all that a failed run takes back, on the target and on the primary."""
    stop_s: float = 300.0
    """For a server to stop."""
    start_s: float = 3600.0
    """For a server that starts to accept connections."""
    streaming_s: float = 60.0
    """For it to stream then."""
    catch_up_s: float = 3600.0
    """For it to catch up."""
    promote_s: float = 60.0
    """For a promotion."""


@record
class PgpoolSettings:
    """What has to be known of pgpool.conf, and how people's commands reach it and the nodes.

    The words of libpq that begin with ssl are for SQL.
    """

    backend_clustering_mode: ClusteringMode = ClusteringMode.STREAMING_REPLICATION
    """As in pgpool.conf."""
    host: Host | None = None
    """Where Pgpool-II listens for PCP; None: the local sockets are tried."""
    pcp_port: Port = Port(9898)
    """As in pgpool.conf."""
    pcp_user: str | None = None
    """A user of pcp.conf; None: called as the user of the operating system."""
    pcp_pass_file: AbsolutePath | None = None
    """Where the password for PCP is; None: $PCPPASSFILE, or ~/.pcppass."""
    user: str | None = None
    """The role for SQL on the nodes; None: recovery_user of pgpool.conf."""
    dbname: str | None = None
    """A database that has the extension; None: the first that is found to have it."""
    sslmode: SslMode | None = None
    sslrootcert: AbsolutePath | None = None
    sslcert: AbsolutePath | None = None
    sslkey: AbsolutePath | None = None
    connect_s: float = 10.0
    """For a connection to Pgpool-II or a node."""
    answer_s: float = 15.0
    """For Pgpool-II, or a node, to answer."""
    change_s: float = 60.0
    """For Pgpool-II to attach, detach or promote a node after it was told to."""
    plan_s: float = 600.0
    """For a plan, and for a check."""
    recovery_s: float = 86400.0
    """For a recovery; one by Pgpool-II goes on after that."""

    @property
    def words(self) -> dict[str, str]:
        """How SQL is to make sure of a server, as words of a connection string."""
        return _given(self, TLS_WORDS)


@record
class NodeSettings:
    """What is special about one node.

    pgpool_remote_start is not told the node id, so it finds a node by its `host` and, when that is
    given, its `data_directory`, both as in pgpool.conf. `port` is for a recovery without Pgpool-II.
    """

    host: Host | None = None
    port: Port | None = None
    data_directory: AbsolutePath | None = None
    bin_directory: AbsolutePath | None = None
    wal_directory: AbsolutePath | None = None
    tablespace_mapping: dict[AbsolutePath, AbsolutePath] = field(default_factory=dict)
    start_command: tuple[str, ...] = ()

    def is_of(self, target: Target) -> bool:
        """Say whether these are the settings of a target whose node id is not known."""
        return self.host == target.host and self.data_directory in (None, target.data_directory)


@record
class Settings:
    """The whole file."""

    ssh: SshSettings = field(default_factory=SshSettings)
    agent: AgentSettings = field(default_factory=AgentSettings)
    primary: PrimarySettings = field(default_factory=PrimarySettings)
    replication: ReplicationSettings = field(default_factory=ReplicationSettings)
    pgbackrest: PgBackRestSettings = field(default_factory=PgBackRestSettings)
    pgpool: PgpoolSettings = field(default_factory=PgpoolSettings)
    failover: FailoverSettings = field(default_factory=FailoverSettings)
    history: HistorySettings = field(default_factory=HistorySettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    log: LogSettings = field(default_factory=LogSettings)
    policy: Policy = field(default_factory=Policy)
    timeout: TimeoutSettings = field(default_factory=TimeoutSettings)
    node: dict[NodeId, NodeSettings] = field(default_factory=dict)

    def of_target(self, target: Target) -> NodeSettings:
        """Return what is special about a target; nothing when the file does not know it."""
        if target.node_id is not None:
            return self.node.get(target.node_id, NodeSettings())
        return next((node for node in self.node.values() if node.is_of(target)), NodeSettings())
