"""Attach, detach and promote nodes: refuse what would do harm, and wait for the effect."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.control.at_work import FOLLOW, OLD_FOLLOW
from pgpool_recovery.control.cluster import Cluster, Node, cluster_of_pool, connect_to
from pgpool_recovery.control.failover_end import let_failover_end
from pgpool_recovery.control.primary import (
    PRIMARY,
    ServerAnswer,
    ask,
    ask_all,
    choose_primary,
    how_to_ask,
)
from pgpool_recovery.control.promotion import refuse_promotion
from pgpool_recovery.control.search import pool_primary, search_of
from pgpool_recovery.control.streaming import STOP_IT, trouble_of
from pgpool_recovery.domain.error import Busy, Refused, Unreachable, Unverified
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.log.note import waits
from pgpool_recovery.pcp.client.node_info import NodeInfo
from pgpool_recovery.pcp.pool import DETACHED, Pool

ASK_EVERY_S = 0.3
WAIT = "Wait for it, or check its log."
FORCE = "With --force it is attached anyway."


def attach(pool: Pool, settings: Settings, node_id: NodeId, *, force: bool) -> NodeInfo:
    """Attach a node that is up and streaming, or any node with `force`; return its new state.

    Even with `force`, a node is not attached if it would be a second primary, or if Pgpool-II would
    queue the request.
    """
    cluster = cluster_of_pool(pool, settings)
    node = cluster.node(node_id)
    search = search_of(cluster)
    if search is not None:
        raise Busy(
            f"{node.name} cannot be attached now: Pgpool-II has no primary at the moment",
            detail=search.sentence,
            hint="Try again when the search has ended.",
        )
    if force:
        refuse_second_primary(cluster, node)
    else:
        refuse_useless(cluster, node)
    return pool.attach(node_id, within_s=settings.pgpool.change_s)


def refuse_useless(cluster: Cluster, node: Node) -> None:
    """Raise Refused if clients of the node would get errors, or outdated data indefinitely."""
    answers = {answer.node.node_id: answer for answer in ask_all(cluster)}
    answer = answers[node.node_id]
    if answer.failure is not None:
        lost = f'Bring it back with "pgpool-recovery recover {node.node_id}".'
        raise Refused(
            f"the server of {node.name} could not be queried",
            detail=answer.failure.detail,
            hint=f"{how_to_ask(answer, lost)} {FORCE}",
        )
    if not cluster.has_standbys:
        return
    primary = choose_primary(cluster, tuple(answers.values()))
    if primary == node:
        return
    if answer.is_primary:
        raise second_primary(node, primary)
    with connect_to(primary, cluster.login) as connection:
        trouble = trouble_of(connection, primary, answer)
    if trouble is not None:
        is_wrong = trouble.fault.is_wrong_data
        raise Refused(
            f"{node.name} {trouble.what}",
            detail=trouble.detail or "Clients that Pgpool-II sends to it would read outdated data.",
            hint=f"{STOP_IT if is_wrong else trouble.hint or WAIT} {FORCE}",
        )


def refuse_second_primary(cluster: Cluster, node: Node) -> None:
    """Raise Refused if a node accepts writes while Pgpool-II uses another one as the primary."""
    primary_id = pool_primary(cluster.infos)
    if not cluster.has_standbys or primary_id in (None, node.node_id):
        return
    primary = cluster.node(primary_id)
    if ask(cluster, node).is_primary and ask(cluster, primary).is_primary:
        raise second_primary(node, primary)


def second_primary(node: Node, primary: Node) -> Refused:
    """Return the refusal to attach a second primary.

    Pgpool-II checks the nodes in order, and keeps the last primary it finds (find_primary_node).
    """
    wins = max(node, primary, key=lambda one: one.node_id)
    return Refused(
        f"{node.name} accepts writes, but {primary.name} is the primary",
        detail="Of several primaries Pgpool-II uses the one with the highest node id, which is "
        f"{wins.name}; it would send reads to the other one, which has data of its own.",
        hint=f'Stop it, and bring it back with "pgpool-recovery recover {node.node_id}".',
    )


def is_primary_in_pool(pool: Pool, node_id: NodeId) -> bool:
    """Return whether Pgpool-II takes the node for the primary: then detaching it is a failover."""
    info = pool.node(node_id)
    return info.is_attached and info.role == PRIMARY


def detach(pool: Pool, settings: Settings, node_id: NodeId, *, gracefully: bool) -> NodeInfo:
    """Detach a node and return its new state."""
    if gracefully:
        let_failover_end(pool.nodes())
    return pool.detach(node_id, gracefully=gracefully, within_s=settings.pgpool.change_s)


def promote(
    pool: Pool,
    settings: Settings,
    node_id: NodeId,
    say: Callable[[str], None],
    *,
    switchover: bool,
    gracefully: bool,
) -> NodeInfo:
    """Promote a node, wait for the effect, report what follows, and return its new state.

    Without `switchover`, this only changes which node Pgpool-II takes for the primary. That is
    right if the server was promoted by other means; a server that is a standby is refused.
    """
    cluster = cluster_of_pool(pool, settings)
    node = cluster.node(node_id)
    if cluster.has_standbys:
        refuse_promotion(cluster, node, switchover=switchover)
    if not switchover:
        _refuse_standby(node, ask(cluster, node))
    if gracefully:
        let_failover_end(cluster.infos)
    pool.promote(node_id, gracefully=gracefully, switchover=switchover)
    say(f"asked Pgpool-II to promote {node.name}")
    found = _wait_for_primary(pool, cluster, node, within_s=settings.pgpool.change_s)
    for sentence in going_on(cluster.parameters, pool.nodes()):
        say(sentence)
    return found


def going_on(parameters: Mapping[str, str], infos: Sequence[NodeInfo]) -> Iterator[str]:
    """Yield what happens to the nodes that a promotion has detached."""
    down = [f"node {info.node_id}" for info in infos if info.status in DETACHED]
    if not down:
        return
    which = " and ".join(down) + (" is" if len(down) == 1 else " are")
    if parameters.get(FOLLOW) or parameters.get(OLD_FOLLOW):
        yield (
            f"{which} down, and Pgpool-II calls its {FOLLOW}; check "
            '"pgpool-recovery watch" and "pgpool-recovery status"'
        )
    else:
        yield (
            f"{which} down, and pgpool.conf sets no {FOLLOW}; run "
            '"pgpool-recovery recover --all-down"'
        )


def _refuse_standby(node: Node, answer: ServerAnswer) -> None:
    if answer.failure is not None:
        raise answer.failure
    if not answer.is_primary:
        raise Refused(
            f"the server of {node.name} is a standby",
            detail="Without --switchover, Pgpool-II takes the node for the primary and detaches "
            "the others, but promotes no server.",
            hint="Use --switchover, or promote the server first with pg_promote().",
        )


def _state(answer: ServerAnswer) -> str:
    if answer.failure is not None:
        return f"could not be queried ({answer.failure.detail or answer.failure.message})"
    return "accepts writes" if answer.is_primary else "is a standby"


@waits("the promoted node to become the primary")
def _wait_for_primary(pool: Pool, cluster: Cluster, node: Node, *, within_s: float) -> NodeInfo:
    """Wait until both Pgpool-II and the server itself report the node as the primary."""
    deadline = time.monotonic() + within_s
    while True:
        seen = "Pgpool-II did not answer"
        try:
            info = pool.node(node.node_id)
            answer = ask(cluster, node)
            if info.is_attached and info.role == PRIMARY and answer.is_primary:
                return info
            seen = f"Its server {_state(answer)}; in Pgpool-II it is {info.status}, {info.role}"
        except Unreachable as error:  # During a failover Pgpool-II answers late.
            seen = error.in_a_line
        if time.monotonic() > deadline:
            raise Unverified(
                f"{node.name} is not the primary after {within_s:g} seconds",
                detail=f"{seen}.",
                hint="Check pgpool.log, including the output of failover_command. The request may "
                "still be queued in Pgpool-II; do not make another one until that is settled.",
                target=TargetState.UNKNOWN,
            )
        time.sleep(ASK_EVERY_S)
