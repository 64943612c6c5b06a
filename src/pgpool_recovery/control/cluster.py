"""The nodes of the cluster, as Pgpool-II or the settings name them, and how to connect to them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from pgpool_recovery.config.settings import PgpoolSettings, Settings
from pgpool_recovery.domain.error import SettingsError, Unreachable, UsageError
from pgpool_recovery.domain.node import NodeId, Target, parse_data_directory, parse_host
from pgpool_recovery.domain.record import field, record
from pgpool_recovery.pcp.client.address import PcpAddress
from pgpool_recovery.pcp.client.commands import PcpServer
from pgpool_recovery.pcp.client.link import LinkLimits
from pgpool_recovery.pcp.client.node_info import NodeInfo
from pgpool_recovery.pcp.pool import Pool
from pgpool_recovery.postgres.connection import Connection, connect
from pgpool_recovery.postgres.ping import PingAnswer, ping

T = TypeVar("T")
DATABASES = ("postgres", "template1")
"""Where Pgpool-II calls the extension: postgres from 4.7 on, template1 up to 4.6."""
UNUSED = "unused"
WITHOUT_STANDBYS = frozenset({"native_replication", "2", "snapshot_isolation", "6"})
"""Names in pgpool.conf, and numbers in pcp_pool_status (ClusteringModes, pool_config.h)."""


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
        """The host that Pgpool-II passes to the stages; a socket is on the local host."""
        return "localhost" if not self.host or self.host.startswith("/") else self.host

    @property
    def slot_name(self) -> str:
        """The name of the slot that a recovery creates for it."""
        return Target(self.host, self.data_directory, self.node_id, self.port).slot_name


@record
class SqlLogin:
    """How to connect to the nodes; libpq finds the passwords. `words` are more libpq parameters."""

    user: str | None
    databases: tuple[str, ...]
    connect_s: float
    answer_s: float
    words: Mapping[str, str] = field(default_factory=dict)


@record
class Cluster:
    """The nodes; `infos` is what Pgpool-II reports about them, empty without Pgpool-II.

    `has_standbys`: one node is the primary, as in streaming replication mode; otherwise Pgpool-II
    writes to all nodes, and the copy is taken from its main node. `parameters` are the pgpool.conf
    parameters in force; empty without Pgpool-II.
    """

    nodes: tuple[Node, ...]
    login: SqlLogin
    infos: tuple[NodeInfo, ...] = ()
    has_standbys: bool = True
    parameters: Mapping[str, str] = field(default_factory=dict)

    def node(self, node_id: NodeId) -> Node:
        """Return a node; raises UsageError if there is none with that id."""
        for node in self.nodes:
            if node.node_id == node_id:
                return node
        known = ", ".join(str(node.node_id) for node in self.nodes)
        raise UsageError(f"there is no node {node_id}", detail=f"The nodes are {known}.")

    def info(self, node_id: NodeId) -> NodeInfo | None:
        """Return what Pgpool-II reports about a node."""
        return next((info for info in self.infos if info.node_id == node_id), None)


def pool_of(settings: PgpoolSettings, user: str) -> Pool:
    """Return the Pgpool-II of the settings; `user` is the PCP user if the settings name none."""
    return Pool(
        PcpServer(
            PcpAddress(settings.host or "", settings.pcp_port),
            settings.pcp_user or user,
            pass_file=settings.pcp_pass_file,
            limits=LinkLimits(connect_s=settings.connect_s, answer_s=settings.answer_s),
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
    """Return a host that Pgpool-II names, or "" for a local socket."""
    return parse_host(text) if text else ""


def cluster_of_parameters(parameters: Mapping[str, str], settings: Settings) -> Cluster:
    """Return the cluster by pcp_pool_status, which Pgpool-II answers without asking any server.

    So there are no `infos`; the status of node N is in the parameter backend_statusN.
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
    """Return the cluster as the settings describe it; raises SettingsError if it is incomplete."""
    nodes = []
    for node_id, node in sorted(settings.node.items()):
        values = {"host": node.host, "port": node.port, "data_directory": node.data_directory}
        missing = [name for name, value in values.items() if value is None]
        if node.host is None or node.port is None or node.data_directory is None:
            raise SettingsError(
                f"node.{node_id} has no {' and no '.join(missing)}",
                detail="Without Pgpool-II, the nodes are taken from the settings.",
            )
        directory = parse_data_directory(node.data_directory)
        nodes.append(Node(node_id, node.host, node.port, directory))
    if not nodes:
        raise SettingsError(
            "the settings name no nodes",
            detail="Without Pgpool-II, the nodes are taken from the settings.",
            hint="Set host, port and data_directory of each in [node.0], [node.1] and so on.",
        )
    return Cluster(tuple(nodes), login_of(settings, {}))


def _has_standbys(parameters: Mapping[str, str]) -> bool:
    return parameters.get("backend_clustering_mode", "") not in WITHOUT_STANDBYS


def login_of(settings: Settings, parameters: Mapping[str, str]) -> SqlLogin:
    """Return how to connect to the nodes, by default as Pgpool-II itself does for a recovery."""
    pgpool = settings.pgpool
    found = (
        settings.history.database,  # First: other databases may have the tables, but empty.
        pgpool.dbname,
        parameters.get("recovery_database"),
        *DATABASES,
    )
    user = pgpool.user or parameters.get("recovery_user") or None
    databases = tuple(dict.fromkeys(filter(None, found)))
    return SqlLogin(user, databases, pgpool.connect_s, pgpool.answer_s, pgpool.words)


@contextmanager
def connect_to(
    node: Node, login: SqlLogin, database: str | None = None, *, answer_s: float | None = None
) -> Iterator[Connection]:
    """Connect to a node; no query takes longer than `answer_s`, even if the link is lost."""
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
    node: Node, login: SqlLogin, ask: Callable[[Connection], T]
) -> Iterator[tuple[str, T | Unreachable]]:
    """Yield each database's answer, or why there is none; the caller stops when it has enough."""
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
    login: SqlLogin,
    ask: Callable[[Connection], T],
    goes_on: Callable[[Unreachable], bool],
) -> tuple[T, str]:
    """Return the answer of the first database that lets us in, and its name.

    Raises the first failure if none does. `goes_on` returns whether another database may still let
    us in after a failure.
    """
    failure: Unreachable | None = None
    for database, said in ask_databases(node, login, ask):
        if not isinstance(said, Unreachable):
            return said, database
        failure = failure or said
        if not goes_on(said):
            break
    raise failure or Unreachable(f"no database of {node.name} is known")


def ping_node(node: Node, login: SqlLogin) -> PingAnswer:
    """Return how the server of a node answers without a login."""
    values = {name: value for name, value in _conninfo(node, login, None).items() if value}
    return ping(values, timeout_s=login.connect_s)


def _conninfo(node: Node, login: SqlLogin, database: str | None) -> dict[str, str]:
    return {
        "host": node.host,
        "port": str(node.port),
        "dbname": database or login.databases[0],
        "user": login.user or "",
    }
