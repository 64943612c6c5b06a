"""Attach a node that was recovered by SQL, as soon as Pgpool-II accepts requests."""

from collections.abc import Sequence

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.control.cluster import Cluster, Node
from pgpool_recovery.control.primary import PRIMARY
from pgpool_recovery.control.streaming import wait_for_stream
from pgpool_recovery.domain.error import Busy, Refused, Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.pcp.client.node_info import NodeInfo
from pgpool_recovery.pcp.pool import Pool

TRY_AGAIN_EVERY_S = 1.0


def attach_recovered(
    pool: Pool, cluster: Cluster, primary: Node, node: Node, settings: Settings
) -> None:
    """Attach a node once it streams from the primary that recovered it, if that still is one.

    If another node was promoted meanwhile, the recovered node is not attached; its server keeps
    running.
    """
    wait_for_stream(cluster, primary, node, within_s=settings.timeout.streaming_s)
    attach(pool, node.node_id, within_s=settings.pgpool.change_s, behind=primary)


def attach(pool: Pool, node_id: NodeId, *, within_s: float, behind: Node | None = None) -> None:
    """Attach a node as soon as Pgpool-II accepts requests, and check that it is in use.

    Pgpool-II refuses while a failover is in progress, and up to 4.4 its PCP process exits after
    each change of a node, whatever it was serving. With `behind`, nothing is requested until
    Pgpool-II takes that node for the primary; raises Refused if it takes another one.
    """
    deadline = pool.clock() + within_s
    while True:
        try:
            if behind is not None:
                _refuse_other_primary(pool.nodes(), node_id, behind)
            pool.attach(node_id, within_s=within_s)
        except (Busy, Unreachable):
            if pool.clock() > deadline:
                raise
            pool.sleep(TRY_AGAIN_EVERY_S)
        else:
            return


def _refuse_other_primary(infos: Sequence[NodeInfo], node_id: NodeId, behind: Node) -> None:
    """Raise Refused if Pgpool-II has another primary, Busy while it has none."""
    primaries = [info.node_id for info in infos if info.is_attached and info.role == PRIMARY]
    if behind.node_id in primaries:
        return
    if not primaries:
        raise Busy(
            f"node {node_id} is recovered, but Pgpool-II has no primary at the moment",
            hint=f'Once it has one again, run "pgpool-recovery attach {node_id}".',
            target=TargetState.STARTED,
        )
    raise Refused(
        f"node {node_id} is recovered, but not attached: node {primaries[0]} is the primary now",
        detail=f"It follows {behind.name}, which was the primary when its recovery began.",
        hint=f'Make it follow the new primary with "pgpool-recovery recover {node_id}".',
        target=TargetState.STARTED,
    )
