"""Have Pgpool-II use a node that was recovered by SQL, as soon as it takes orders."""

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
    """Attach a node once it streams from the primary that recovered it, and that is the primary.

    Another one may have been promoted meanwhile: then the node is left, with its server running.
    """
    wait_for_stream(cluster, primary, node, within_s=settings.timeout.streaming_s)
    attach(pool, node.node_id, within_s=settings.pgpool.change_s, behind=primary)


def attach(pool: Pool, node_id: NodeId, *, within_s: float, behind: Node | None = None) -> None:
    """Attach a node, as soon as Pgpool-II takes orders, and see that it uses it.

    It refuses while a failover is in progress, and up to 4.4 its PCP process ends, with whatever it
    was asked, after each change of a node. With `behind` nothing is ordered until Pgpool-II takes
    that node for the primary; Refused when it is another one.
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
    """Raise Refused when Pgpool-II has another primary, Busy while it has none."""
    primaries = [info.node_id for info in infos if info.is_attached and info.role == PRIMARY]
    if behind.node_id in primaries:
        return
    if not primaries:
        raise Busy(
            f"node {node_id} is recovered, but Pgpool-II has no primary at the moment",
            hint=f'When it has one again: "pgpool-recovery attach {node_id}".',
            target=TargetState.STARTED,
        )
    raise Refused(
        f"node {node_id} is recovered, but not attached: node {primaries[0]} is the primary now",
        detail=f"It follows {behind.name}, which was the primary when its recovery began.",
        hint=f'Bring it behind the new one with "pgpool-recovery recover {node_id}".',
        target=TargetState.STARTED,
    )
