"""Attach, detach and promote a node: refused when it would do harm, and seen to its effect."""

import time

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Refused, Unreachable, Unverified
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.operator.cluster import Cluster, Node, cluster_of_pool, connect_to
from pgpool_recovery.operator.failover_end import let_failover_end
from pgpool_recovery.operator.primary import PRIMARY, Answer, ask, ask_all, choose_primary
from pgpool_recovery.operator.standby import STOP_IT, trouble_of
from pgpool_recovery.pcp.client.node_info import NodeInfo
from pgpool_recovery.pcp.pool import Pool

ASK_EVERY_S = 0.3
WAIT = "Wait for it or look at its log."
FORCE = "With --force it is attached all the same."


def attach(pool: Pool, settings: Settings, node_id: NodeId, *, force: bool) -> NodeInfo:
    """Attach a node that is up and streams, or any one with `force`; return what it is then."""
    cluster = cluster_of_pool(pool, settings)
    node = cluster.node(node_id)
    if not force:
        refuse_useless(cluster, node)
    return pool.attach(node_id, within_s=settings.pgpool.change_s)


def refuse_useless(cluster: Cluster, node: Node) -> None:
    """Raise Refused when clients of the node would see nothing, or the past for ever."""
    answers = {answer.node.node_id: answer for answer in ask_all(cluster)}
    answer = answers[node.node_id]
    if answer.failure is not None:
        raise Refused(
            f"the server of {node.name} could not be asked",
            detail=answer.failure.detail,
            hint=f'Bring it back with "pgpool-recovery recover {node.node_id}". {FORCE}',
        )
    if not cluster.has_standbys:
        return
    primary = choose_primary(cluster, tuple(answers.values()))
    if primary == node:
        return
    if answer.is_primary:
        raise Refused(
            f"{node.name} accepts writes, but {primary.name} is the primary",
            detail="Clients that Pgpool-II sends to it would read what the others do not have.",
            hint=f'Stop it, and bring it back with "pgpool-recovery recover {node.node_id}". '
            f"{FORCE}",
        )
    with connect_to(primary, cluster.login) as connection:
        trouble = trouble_of(connection, primary, answer)
    if trouble is not None:
        is_wrong = trouble.fault.is_wrong_data
        raise Refused(
            f"{node.name} {trouble.what}",
            detail=trouble.detail or "Clients that Pgpool-II sends to it would read the past.",
            hint=f"{STOP_IT if is_wrong else trouble.hint or WAIT} {FORCE}",
        )


def is_primary_in_pool(pool: Pool, node_id: NodeId) -> bool:
    """Say whether Pgpool-II takes the node for the primary, so that to detach it is a failover."""
    info = pool.node(node_id)
    return info.is_attached and info.role == PRIMARY


def detach(pool: Pool, settings: Settings, node_id: NodeId, *, gracefully: bool) -> NodeInfo:
    """Detach a node and return what it is then."""
    if gracefully:
        let_failover_end(pool.nodes())
    return pool.detach(node_id, gracefully=gracefully, within_s=settings.pgpool.change_s)


def promote(
    pool: Pool, settings: Settings, node_id: NodeId, *, switchover: bool, gracefully: bool
) -> NodeInfo:
    """Promote a node, wait for the effect, and return what it is then.

    Without `switchover` Pgpool-II changes only its own mind about which node is the primary, which
    is right when the server was promoted by somebody else; one that was not is refused.
    """
    cluster = cluster_of_pool(pool, settings)
    node = cluster.node(node_id)
    if not switchover:
        _refuse_standby(node, ask(cluster, node))
    if gracefully:
        let_failover_end(cluster.infos)
    pool.promote(node_id, gracefully=gracefully, switchover=switchover)
    return _wait_for_primary(pool, cluster, node, within_s=settings.pgpool.change_s)


def _refuse_standby(node: Node, answer: Answer) -> None:
    if answer.failure is not None:
        raise answer.failure
    if not answer.is_primary:
        raise Refused(
            f"the server of {node.name} is a standby",
            detail="Without --switchover only Pgpool-II itself takes the node for the primary, "
            "detaches the others, and promotes no server.",
            hint="Use --switchover, or promote the server first with pg_promote().",
        )


def _wait_for_primary(pool: Pool, cluster: Cluster, node: Node, *, within_s: float) -> NodeInfo:
    """Wait until Pgpool-II and the server itself agree that it is the primary."""
    deadline = time.monotonic() + within_s
    while True:
        seen = "Pgpool-II did not answer"
        try:
            info = pool.node(node.node_id)
            is_primary = ask(cluster, node).is_primary
            if info.is_attached and info.role == PRIMARY and is_primary:
                return info
            server = "accepts writes" if is_primary else "is a standby"
            seen = f"Its server {server}; in Pgpool-II it is {info.status}, {info.role}"
        except Unreachable as error:  # During a failover Pgpool-II answers late.
            seen = f"{error.message}: {error.detail}"
        if time.monotonic() > deadline:
            raise Unverified(
                f"{node.name} is not the primary after {within_s:g} seconds",
                detail=f"{seen}.",
                hint="Look at pgpool.log, and at what failover_command says there.",
                target=TargetState.UNKNOWN,
            )
        time.sleep(ASK_EVERY_S)
