"""Find out whether Pgpool-II has a primary, or is busy searching for one."""

import time
from collections.abc import Mapping, Sequence

from pgpool_recovery.control.cluster import Cluster
from pgpool_recovery.control.primary import PRIMARY
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.record import record
from pgpool_recovery.pcp.client.node_info import NodeInfo

TIMEOUT = "search_primary_node_timeout"
DEFAULT_S = 300
OVER_AFTER_S = 60.0
"""How long a failover may take beyond the search; after that it is assumed to have ended."""


@record
class Search:
    """A failover of the primary that has not ended; `left_s` is None if nothing limits the search.

    Requests are accepted meanwhile, queued, and processed afterwards, when they may mean something
    else: a switchover then detaches a node that was not meant.
    """

    lost_id: NodeId
    left_s: float | None

    @property
    def sentence(self) -> str:
        """What it is doing, and how long that may last."""
        if self.left_s is None:
            limit = f"{TIMEOUT} is 0, so nothing limits the search"
        else:
            limit = f"this may last for another {max(self.left_s, 1):.0f} s ({TIMEOUT})"
        return (
            f"It has lost node {self.lost_id} and is searching for another primary; {limit}. "
            "Requests are queued meanwhile, and processed afterwards."
        )


def pool_primary(infos: Sequence[NodeInfo]) -> NodeId | None:
    """Return the node that Pgpool-II uses as the primary."""
    found = (info for info in infos if info.is_attached and info.role == PRIMARY)
    return next((NodeId(info.node_id) for info in found), None)


def search_of(cluster: Cluster) -> Search | None:
    """Return the search that Pgpool-II is busy with, if any.

    Until it has ended, the lost node keeps the role of the primary; afterwards another node has it,
    or none (failover(), pgpool_main.c). If Pgpool-II uses no node at all, it does not search.
    """
    return _search(cluster.infos, cluster.parameters, time.time())


def _search(infos: Sequence[NodeInfo], parameters: Mapping[str, str], now: float) -> Search | None:
    lost = [info for info in infos if not info.is_attached and info.role == PRIMARY]
    if pool_primary(infos) is not None or not lost or not any(info.is_attached for info in infos):
        return None
    [first, *_] = lost
    limit_s = _seconds(parameters.get(TIMEOUT, ""))
    if limit_s == 0 or not first.status_changed_at:
        return Search(NodeId(first.node_id), None if limit_s == 0 else float(limit_s))
    left_s = first.status_changed_at + limit_s - now
    return None if left_s < -OVER_AFTER_S else Search(NodeId(first.node_id), left_s)


def _seconds(text: str) -> int:
    """Return the limit in seconds; pcp_pool_status shows it with or without a unit.

    >>> _seconds("300"), _seconds("20s"), _seconds("")
    (300, 20, 300)
    """
    digits = text.removesuffix("s").strip()
    return int(digits) if digits.isdecimal() else DEFAULT_S
