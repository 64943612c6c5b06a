"""What setup knows: the Pgpool-II of this host, its nodes, and what each of their hosts has."""

from collections.abc import Mapping

from pgpool_recovery.domain.record import field, record

STAGE_COMMANDS = (
    "recovery_1st_stage",
    "recovery_2nd_stage",
    "pgpool_remote_start",
    "pgpool_recovery_plan",
    "pgpool_recovery_check",
)
OURS, WRAPPER, SAMPLE, OWN, ABSENT, BROKEN = (
    *("ours", "wrapper", "sample", "own"),
    *("absent", "broken"),
)
"""Whose a stage command is: ours, the user's that calls ours, Pgpool-II's sample, the user's own,
nobody's, or ours that calls a command which is no longer there."""
APT, DNF = "apt-get", "dnf"


@record
class Backend:
    """A node as pgpool.conf describes it."""

    node_id: int
    host: str
    port: int
    data_directory: str

    @property
    def name(self) -> str:
        """How messages name it."""
        return f"node {self.node_id}"


@record
class PoolState:
    """The Pgpool-II of this host, by its pgpool.conf.

    `database` is where it calls the functions. `release` is None if the program is not found.
    `changes` are the parameters that recoveries need, and what they should be.
    """

    conf: str
    program: str | None
    release: tuple[int, int] | None
    is_running: bool
    database: str
    backends: tuple[Backend, ...]
    parameters: Mapping[str, str]
    changes: Mapping[str, str] = field(default_factory=dict)

    @property
    def recovery_user(self) -> str:
        """The role that calls the functions; empty if none is set."""
        return self.parameters.get("recovery_user", "")


@record
class NodeState:
    """What its host says about a node; fields are None or empty where it says nothing.

    `state` is running, stopped or empty. `ssh` has, by the id of each node on another host, None
    if its owner can log in there, or else why not; `replication` likewise, with the role of the
    login after "ok ", or the problem after "no ". `recovery_user` is superuser, or role for any
    other, and `may_call` are the databases where it has EXECUTE on what Pgpool-II calls. `includes`
    says whether its postgresql.conf, outside of the data directory, includes the samples' file
    there; None if it could not be added.
    """

    backend: Backend
    state: str = "empty"
    owner: str = "postgres"
    home: str | None = None
    major: int | None = None
    bindir: str | None = None
    socket: str | None = None
    port: int | None = None
    role: str | None = None
    problem: str | None = None
    control: str | None = None
    has_plpython: bool = False
    scripts: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, tuple[str, str] | None] = field(default_factory=dict)
    recovery_user: str | None = None
    may_call: frozenset[str] = frozenset()
    includes: bool | None = None
    key: str | None = None
    authorized: tuple[str, ...] = ()
    addresses: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    ssh: Mapping[int, str | None] = field(default_factory=dict)
    replication: Mapping[int, str] = field(default_factory=dict)

    @property
    def is_primary(self) -> bool:
        """Whether its server accepts writes."""
        return self.role == "primary"


@record
class HostState:
    """A host with nodes, and what it has; `problem` is why it could not be examined.

    `way` says how it was reached. `records` are the changes that an earlier setup made there.
    """

    name: str
    nodes: tuple[NodeState, ...]
    problem: str | None = None
    way: str = ""
    system: str = ""
    manager: str | None = None
    command: str | None = None
    version: str | None = None
    host_keys: tuple[str, ...] = ()
    installed: Mapping[str, str] = field(default_factory=dict)
    offered: frozenset[str] = frozenset()
    records: tuple[str, ...] = ()


@record
class PackageFiles:
    """The package files that setup may install: where they are, and their names."""

    directory: str
    names: tuple[str, ...]


@record
class ClusterState:
    """Everything that decides what is missing.

    `version` is that of this command, and `command` are the words that start it. `manager` is the
    package manager of this host.
    """

    pool: PoolState
    hosts: tuple[HostState, ...]
    packages: PackageFiles | None
    version: str
    extension_version: str
    command: tuple[str, ...] = ("pgpool-recovery",)
    manager: str = APT

    @property
    def nodes(self) -> tuple[NodeState, ...]:
        """All nodes, in the order of their hosts."""
        return tuple(node for host in self.hosts for node in host.nodes)

    @property
    def primary(self) -> NodeState | None:
        """The only node that accepts writes; None if there is none, or more than one."""
        found = [node for node in self.nodes if node.is_primary]
        return found[0] if len(found) == 1 else None

    def host_of(self, node: NodeState) -> HostState:
        """Return the host of a node."""
        return next(host for host in self.hosts if node in host.nodes)

    def node(self, node_id: int) -> NodeState:
        """Return a node by its id."""
        return next(node for node in self.nodes if node.backend.node_id == node_id)
