"""The nodes of the cluster, as Pgpool-II or the settings name them, and how SQL reaches them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from pgpool_recovery.config.settings import PgpoolSettings, Settings
from pgpool_recovery.domain.error import SettingsError, Unreachable, UsageError
from pgpool_recovery.domain.node import NodeId, Target, parse_data_directory, parse_host
from pgpool_recovery.domain.record import field, record
from pgpool_recovery.pcp.client.address import PcpAddress
from pgpool_recovery.pcp.client.commands import PcpServer
from pgpool_recovery.pcp.client.link import Limits
from pgpool_recovery.pcp.client.node_info import NodeInfo
from pgpool_recovery.pcp.pool import Pool
from pgpool_recovery.postgres.connection import Connection, connect
from pgpool_recovery.postgres.ping import Answers, ping

T = TypeVar("T")
DATABASES = ("postgres", "template1")
"""Where Pgpool-II looks for the extension: from 4.7 on, and up to 4.6."""
UNUSED = "unused"
WITHOUT_STANDBYS = frozenset({"native_replication", "2", "snapshot_isolation", "6"})
"""As in pgpool.conf, and by number as pcp_pool_status has it (ClusteringModes, pool_config.h)."""


@record
class Node:
    """A node of the cluster; an empty host is a local socket."""

    node_id: NodeId
    host: str
    port: int
    data_directory: str

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"node {self.node_id}"

    @property
    def address(self) -> str:
        """Where it is, for messages."""
        return f"{self.host or 'local'}:{self.port}"

    @property
    def told_host(self) -> str:
        """What Pgpool-II calls it for the stages: a socket is on this host."""
        return "localhost" if not self.host or self.host.startswith("/") else self.host

    @property
    def slot_name(self) -> str:
        """The slot that a recovery makes for it."""
        return Target(self.host, self.data_directory, self.node_id, self.port).slot_name


@record
class Login:
    """How SQL reaches the nodes; passwords are libpq's business. `words` are more of its words."""

    user: str | None
    databases: tuple[str, ...]
    connect_s: float
    answer_s: float
    words: Mapping[str, str] = field(default_factory=dict)


@record
class Cluster:
    """The nodes; `infos` is what Pgpool-II says of them, nothing without it.

    `has_standbys`: one node is the primary, as in streaming replication mode; otherwise Pgpool-II
    writes to all of them, and takes the copy from its main node. `parameters` are those of
    pgpool.conf with which Pgpool-II runs; none without it.
    """

    nodes: tuple[Node, ...]
    login: Login
    infos: tuple[NodeInfo, ...] = ()
    has_standbys: bool = True
    parameters: Mapping[str, str] = field(default_factory=dict)

    def node(self, node_id: NodeId) -> Node:
        """Return a node; UsageError when there is none of that id."""
        for node in self.nodes:
            if node.node_id == node_id:
                return node
        known = ", ".join(str(node.node_id) for node in self.nodes)
        raise UsageError(f"there is no node {node_id}", detail=f"The nodes are {known}.")

    def info(self, node_id: NodeId) -> NodeInfo | None:
        """Return what Pgpool-II says of a node."""
        return next((info for info in self.infos if info.node_id == node_id), None)


def pool_of(settings: PgpoolSettings, user: str) -> Pool:
    """Return the Pgpool-II of the settings; `user` is whom PCP is asked as without a setting."""
    return Pool(
        PcpServer(
            PcpAddress(settings.host or "", settings.pcp_port),
            settings.pcp_user or user,
            pass_file=settings.pcp_pass_file,
            limits=Limits(connect_s=settings.connect_s, answer_s=settings.answer_s),
        )
    )


def cluster_of_pool(pool: Pool, settings: Settings) -> Cluster:
    """Return the cluster as Pgpool-II knows it."""
    infos = tuple(info for info in pool.nodes() if info.status != UNUSED)
    parameters = {row.name: row.value for row in pool.parameters()}
    nodes = tuple(
        Node(
            NodeId(info.node_id),
            _host(info.hostname),
            info.port,
            parameters.get(f"backend_data_directory{info.node_id}") or "",
        )
        for info in infos
    )
    login = login_of(settings, parameters)
    has_standbys = _has_standbys(parameters)
    return Cluster(nodes, login, infos, has_standbys=has_standbys, parameters=parameters)


def _host(text: str | None) -> str:
    """Return a host as Pgpool-II names it; none is a local socket."""
    return parse_host(text) if text else ""


def cluster_of_parameters(parameters: Mapping[str, str], settings: Settings) -> Cluster:
    """Return the cluster of pcp_pool_status, for which Pgpool-II asks no server, nor waits for one.

    So there are no `infos`; the status of node N is the parameter backend_statusN.
    """
    numbers = [
        int(name.removeprefix("backend_status"))
        for name, value in parameters.items()
        if name.startswith("backend_status") and value != UNUSED
    ]
    nodes = tuple(
        Node(
            NodeId(number),
            _host(parameters.get(f"backend_hostname{number}")),
            int(parameters[f"backend_port{number}"]),
            parameters.get(f"backend_data_directory{number}") or "",
        )
        for number in sorted(numbers)
    )
    return Cluster(
        nodes,
        login_of(settings, parameters),
        has_standbys=_has_standbys(parameters),
        parameters=parameters,
    )


def cluster_of_settings(settings: Settings) -> Cluster:
    """Return the cluster as the settings have it; SettingsError when they say too little."""
    nodes = []
    for node_id, node in sorted(settings.node.items()):
        values = {"host": node.host, "port": node.port, "data_directory": node.data_directory}
        missing = [name for name, value in values.items() if value is None]
        if node.host is None or node.port is None or node.data_directory is None:
            raise SettingsError(
                f"node.{node_id} has no {' and no '.join(missing)}",
                detail="Without Pgpool-II, the settings say where the nodes are.",
            )
        directory = parse_data_directory(node.data_directory)
        nodes.append(Node(node_id, node.host, node.port, directory))
    if not nodes:
        raise SettingsError(
            "the settings name no nodes",
            detail="Without Pgpool-II, the settings say where the nodes are.",
            hint="Write host, port and data_directory of each into [node.0], [node.1] and so on.",
        )
    return Cluster(tuple(nodes), login_of(settings, {}))


def _has_standbys(parameters: Mapping[str, str]) -> bool:
    return parameters.get("backend_clustering_mode", "") not in WITHOUT_STANDBYS


def login_of(settings: Settings, parameters: Mapping[str, str]) -> Login:
    """Return how SQL reaches the nodes, as Pgpool-II itself does for a recovery."""
    pgpool = settings.pgpool
    found = (
        settings.history.database,  # First: elsewhere the tables of the record may be, but empty.
        pgpool.dbname,
        parameters.get("recovery_database"),
        *DATABASES,
    )
    user = pgpool.user or parameters.get("recovery_user") or None
    databases = tuple(dict.fromkeys(filter(None, found)))
    return Login(user, databases, pgpool.connect_s, pgpool.answer_s, pgpool.words)


@contextmanager
def connect_to(
    node: Node, login: Login, database: str | None = None, *, answer_s: float | None = None
) -> Iterator[Connection]:
    """Connect to a node; no query takes longer than `answer_s`, not even over a lost link."""
    values = {
        **_conninfo(node, login, database),
        "tcp_user_timeout": str(int(1000 * login.answer_s)),
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
        **login.words,
    }
    filled = {name: value for name, value in values.items() if value}
    with connect(
        filled,
        timeout_s=login.connect_s,
        answer_s=answer_s or login.answer_s,
        name=f"{node.name} ({node.address})",
    ) as connection:
        yield connection


def ask_databases(
    node: Node, login: Login, ask: Callable[[Connection], T]
) -> Iterator[tuple[str, T | Unreachable]]:
    """Yield what each database lets us ask, or why not; the caller stops where that is enough."""
    for database in login.databases:
        try:
            with connect_to(node, login, database) as connection:
                said = ask(connection)
        except Unreachable as error:
            yield database, error
        else:
            yield database, said


def ask_first_database(
    node: Node,
    login: Login,
    ask: Callable[[Connection], T],
    goes_on: Callable[[Unreachable], bool],
) -> tuple[T, str]:
    """Return what the first database says that lets us in, and its name.

    Raises the first failure when none does, or `goes_on` says of one that no other will.
    """
    failure: Unreachable | None = None
    for database, said in ask_databases(node, login, ask):
        if not isinstance(said, Unreachable):
            return said, database
        failure = failure or said
        if not goes_on(said):
            break
    raise failure or Unreachable(f"no database is known on {node.name}")


def ping_node(node: Node, login: Login) -> Answers:
    """Return how the server of a node answers, without a login."""
    values = {name: value for name, value in _conninfo(node, login, None).items() if value}
    return ping(values, timeout_s=login.connect_s)


def _conninfo(node: Node, login: Login, database: str | None) -> dict[str, str]:
    return {
        "host": node.host,
        "port": str(node.port),
        "dbname": database or login.databases[0],
        "user": login.user or "",
    }
