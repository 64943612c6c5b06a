"""Refuse a promotion that Pgpool-II would not carry out as it is meant.

Pgpool-II queues a request that it cannot carry out at once, and processes it when the situation has
changed. So the request is made only if it means what the person means.
"""

from collections.abc import Mapping

from pgpool_recovery.control.at_work import refuse_while_nodes_follow, refuse_while_recovering
from pgpool_recovery.control.cluster import Cluster, Node, connect_to
from pgpool_recovery.control.primary import ServerAnswer, ask_all, how_to_ask, may_be_primary
from pgpool_recovery.control.search import pool_primary, search_of
from pgpool_recovery.control.streaming import trouble_of
from pgpool_recovery.domain.error import RecoveryError, Refused
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.standby import ENOUGH_SHUTDOWN_MS, SHUTDOWN_TIMEOUT

BY_HAND = (
    'If no server accepts writes, run "SELECT pg_promote()" on {name} and, once it accepts them, '
    '"pgpool-recovery promote {node_id}".'
)


def refuse_promotion(cluster: Cluster, node: Node, *, switchover: bool) -> None:
    """Raise Refused if the request would be queued, mean another node, or promote an unfit one.

    Raises Busy if it would break something that is running.
    """
    search = search_of(cluster)
    if search is not None:
        raise Refused(
            f"Pgpool-II has no primary at the moment, so it cannot promote {node.name}",
            detail=search.sentence,
            hint="As soon as the server of a node that it uses accepts writes, it finds that node "
            f"by itself. {_by_hand(node)}"
            if switchover
            else "It finds the primary by itself, if it uses that node.",
        )
    refuse_while_nodes_follow(cluster, node)
    _refuse_unused(cluster, node)
    if not switchover:
        return
    answers = {answer.node.node_id: answer for answer in ask_all(cluster)}
    primary_id = pool_primary(cluster.infos)
    if primary_id is None:
        raise no_primary(cluster, node, answers)
    refuse_primary_of_now(node, cluster.node(primary_id), answers)
    _refuse_unfit(cluster, node, answers[node.node_id], answers[primary_id])


def _refuse_unused(cluster: Cluster, node: Node) -> None:
    info = cluster.info(node.node_id)
    if info is not None and not info.is_attached:
        raise Refused(
            f"{node.name} is {info.status} in Pgpool-II, which promotes only nodes that it uses",
            hint=f'Run "pgpool-recovery attach {node.node_id}" if it is streaming, otherwise '
            f'"pgpool-recovery recover {node.node_id}".',
        )


def no_primary(cluster: Cluster, node: Node, answers: Mapping[NodeId, ServerAnswer]) -> Refused:
    """Return the refusal of a switchover without a primary to switch from."""
    writing = [answer.node for answer in answers.values() if answer.is_primary]
    if writing:
        first = writing[0]
        info = cluster.info(first.node_id)
        word = "promote" if info is not None and info.is_attached else "attach"
        hint = (
            f'{first.name} accepts writes; "pgpool-recovery {word} {first.node_id}" makes '
            "Pgpool-II take it for the primary."
        )
    else:
        hint = may_be_primary(answers.values()) or _by_hand(node)
    return Refused(
        f"Pgpool-II has no primary from which {node.name} could take over",
        detail="It has searched for one and found none. A switchover detaches the primary; without "
        "one, the request would do something else.",
        hint=hint,
    )


def refuse_primary_of_now(
    node: Node, primary: Node, answers: Mapping[NodeId, ServerAnswer]
) -> None:
    """Raise Refused if the current primary is the node itself, or is not a primary after all."""
    if node == primary:
        raise Refused(f"{node.name} is already the primary")
    now, then = answers[primary.node_id], answers[node.node_id]
    if now.failure is not None:
        raise Refused(
            f"the server of {primary.name}, the primary, could not be queried",
            detail=_said(now.failure),
            hint=how_to_ask(
                now,
                "If it is lost, Pgpool-II fails over by itself as soon as its health check notices "
                f"that. {_by_hand(node)}",
            ),
        )
    if not now.is_primary:
        raise Refused(
            f"{primary.name}, which Pgpool-II takes for the primary, is a standby",
            hint=f'Check "pgpool-recovery status". {_by_hand(node)}',
        )
    if then.failure is not None:
        raise Refused(
            f"the server of {node.name} could not be queried",
            detail=_said(then.failure),
            hint=how_to_ask(then, f'Bring it back with "pgpool-recovery recover {node.node_id}".'),
        )
    if then.is_primary:
        raise Refused(
            f"{node.name} accepts writes, but {primary.name} is the primary",
            hint=f'Stop it, and bring it back with "pgpool-recovery recover {node.node_id}".',
        )


def _refuse_unfit(cluster: Cluster, node: Node, answer: ServerAnswer, before: ServerAnswer) -> None:
    """Raise Refused if the standby does not follow, or would not survive its promotion.

    Raises Busy if the primary cannot be stopped now.
    """
    primary = before.node
    with connect_to(primary, cluster.login) as connection:
        refuse_while_recovering(connection, node, primary)
        trouble = trouble_of(connection, primary, answer)
        wanted = _values(connection.rows("promotion_settings"))
    refuse_short_shutdown(primary, wanted.pop(SHUTDOWN_TIMEOUT, -1))
    with connect_to(node, cluster.login) as connection:  # Reported first: it also pauses replay.
        refuse_low_settings(node, primary, _values(connection.rows("promotion_settings")), wanted)
    if trouble is not None:
        raise Refused(
            f"{node.name} {trouble.what}",
            detail=trouble.detail or "What was written since it stopped following would be lost.",
            hint=trouble.hint or f'Wait for it, or run "pgpool-recovery recover {node.node_id}".',
        )


def refuse_low_settings(
    node: Node, primary: Node, found: Mapping[str, int], wanted: Mapping[str, int]
) -> None:
    """Raise Refused if a promotion would make the standby shut down."""
    low = [name for name, value in wanted.items() if found.get(name, value) < value]
    if low:
        raise Refused(
            f"{node.name} would shut down instead of becoming the primary",
            detail=" ".join(
                f"{name} is {found[name]} there, and {wanted[name]} on {primary.name}."
                for name in sorted(low)
            ),
            hint="Raise them there, restart its server, and try again.",
        )


def refuse_short_shutdown(primary: Node, patience_ms: int) -> None:
    """Raise Refused if the primary would not wait on shutdown until a standby has everything."""
    if 0 <= patience_ms < ENOUGH_SHUTDOWN_MS:
        raise Refused(
            f"{primary.name} would not wait on shutdown until a standby has everything",
            detail=f"{SHUTDOWN_TIMEOUT} is {patience_ms} ms there.",
            hint=f"Run ALTER SYSTEM RESET {SHUTDOWN_TIMEOUT} there, or set at least "
            f"{ENOUGH_SHUTDOWN_MS // 1000}s, reload, and try again.",
        )


def _values(rows: list[dict[str, object]]) -> dict[str, int]:
    return {str(row["name"]): int(str(row["value"])) for row in rows}


def _by_hand(node: Node) -> str:
    return BY_HAND.format(name=node.name, node_id=node.node_id)


def _said(error: RecoveryError) -> str:
    return error.in_a_line if error.detail else f"{error.message}."
