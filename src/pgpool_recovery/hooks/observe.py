"""Observe the servers after a failure, in as little time as silent servers allow."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.control.cluster import (
    Cluster,
    Node,
    SqlLogin,
    ask_first_database,
    cluster_of_parameters,
    login_of,
)
from pgpool_recovery.domain.control_file import required_settings
from pgpool_recovery.domain.error import RecoveryError, Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.record import record, replace
from pgpool_recovery.domain.wal import TimelineId, parse_lsn
from pgpool_recovery.hooks.call import Call, CalledPlace
from pgpool_recovery.hooks.fitness import SETTINGS
from pgpool_recovery.hooks.scene import Scene, Standing
from pgpool_recovery.log.note import waits
from pgpool_recovery.pcp.pool import ATTACHED, Pool
from pgpool_recovery.postgres.connection import Connection

DEFAULT_PORT = 5432
TRY_AGAIN_EVERY_S = 0.3


@record
class Known:
    """The nodes; with a `failure` of Pgpool-II to name them, only those that the call names."""

    cluster: Cluster
    failure: RecoveryError | None = None

    @property
    def attached(self) -> frozenset[NodeId]:
        """The nodes that Pgpool-II uses, as far as it reported them."""
        return frozenset(
            node.node_id
            for node in self.cluster.nodes
            if self.cluster.parameters.get(f"backend_status{node.node_id}") in ATTACHED
        )


@record
class View:
    """What the servers reported, and which database of each accepted our login."""

    cluster: Cluster
    scene: Scene
    databases: Mapping[NodeId, str]

    def login(self, node: Node) -> SqlLogin:
        """Return how to connect to a node that has answered."""
        return replace(self.cluster.login, databases=(self.databases[node.node_id],))

    def has_let_in(self, node_id: NodeId) -> bool:
        """Return whether a node has answered."""
        return node_id in self.databases


@waits("an answer from Pgpool-II")
def known(call: Call, pool: Pool, settings: Settings, *, try_for_s: float) -> Known:
    """Return the nodes that Pgpool-II reports, or those that the call names if it does not answer.

    A wrong PCP port or password must not prevent a failover. Up to 4.4, Pgpool-II restarts its PCP
    process after each change of a node, so the request is repeated for `try_for_s`.
    """
    deadline = time.monotonic() + try_for_s
    while True:
        try:
            parameters = {row.name: row.value for row in pool.parameters()}
        except RecoveryError as error:
            if time.monotonic() > deadline:
                return Known(_cluster_of_call(call, settings), error)
            time.sleep(TRY_AGAIN_EVERY_S)
        else:
            return Known(cluster_of_parameters(parameters, settings))


def look(call: Call, known: Known, *, connect_s: float) -> View:
    """Query all servers at once, so the time for silent ones is spent only once."""
    login = replace(known.cluster.login, connect_s=connect_s)
    cluster = replace(known.cluster, login=login)
    with ThreadPoolExecutor(max_workers=max(1, len(cluster.nodes))) as threads:
        answers = list(threads.map(lambda node: standing_of(node, login), cluster.nodes))
    standings: dict[NodeId, Standing] = {}
    silent: dict[NodeId, str] = {}
    databases: dict[NodeId, str] = {}
    for node, answer in zip(cluster.nodes, answers, strict=True):
        if isinstance(answer, Unreachable):
            silent[node.node_id] = answer.in_a_line
        else:
            standings[node.node_id], databases[node.node_id] = answer
    attached = known.attached - {call.node_id}
    if known.failure is not None and call.new_id is not None:
        attached = frozenset({call.new_id})
    scene = Scene(standings, silent, attached, unknown=_reason(known.failure))
    return View(cluster, scene, databases)


def standing_of(node: Node, login: SqlLogin) -> tuple[Standing, str] | Unreachable:
    """Return what a server reports and the database that accepted our login, or why it does not.

    A server that refuses the login may accept it for the next database; one that is silent is not
    tried again.
    """
    until = time.monotonic() + login.connect_s / 2
    try:
        return ask_first_database(node, login, _standing, lambda _why: time.monotonic() <= until)
    except Unreachable as failure:
        return failure


def _standing(connection: Connection) -> Standing:
    row = connection.row("hook_standing", names=list(SETTINGS))
    return Standing(
        row["is_primary"],
        TimelineId(row["timeline"]),
        parse_lsn(row["position"]),
        row["system_identifier"],
        is_paused=row["is_paused"],
        may_promote=row["may_promote"],
        receiver=row["receiver"],
        sender=row["sender"],
        slot_name=row["slot_name"],
        heard_at=row["heard_at"],
        settings=row["settings"] or {},
        required=None if row["is_primary"] else _required(connection),
        replayed=None if row["replayed"] is None else parse_lsn(row["replayed"]),
    )


def _required(connection: Connection) -> Mapping[str, int] | None:
    """Return the minimum of a standby's settings; None where its files may not be read."""
    try:
        return required_settings(bytes(connection.row("control_file")["contents"]))
    except Unreachable:
        return None


def _cluster_of_call(call: Call, settings: Settings) -> Cluster:
    places = {call.node_id: call.node}
    if call.new_id is not None:
        places[call.new_id] = call.new
    if call.old_primary_id is not None:
        places.setdefault(call.old_primary_id, call.old_primary)
    nodes = tuple(_node(node_id, place) for node_id, place in sorted(places.items()))
    return Cluster(nodes, login_of(settings, {}))


def _node(node_id: NodeId, place: CalledPlace) -> Node:
    return Node(node_id, place.host, place.port or DEFAULT_PORT, place.data_directory)


def _reason(failure: RecoveryError | None) -> str | None:
    return None if failure is None else failure.in_a_line
