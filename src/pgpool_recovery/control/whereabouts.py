"""Where a node was the last time: a changed data directory may be a slip in pgpool.conf.

A full copy into a directory that nobody meant leaves two: the service runs on, from the wrong one.
"""

import posixpath
from collections.abc import Mapping
from typing import Any

from pgpool_recovery.check.finding import Severity
from pgpool_recovery.control.check import Reported
from pgpool_recovery.control.cluster import Cluster, Node
from pgpool_recovery.control.extension import Feature, Primary


def was_elsewhere(primary: Primary, node: Node) -> str | None:
    """Return where a node was, when that was another directory; None also without a record."""
    if not primary.has(Feature.HISTORY):
        return None
    with primary.connect(Feature.HISTORY) as connection:
        rows = connection.rows("last_place", node_id=node.node_id)
    return moved(node, rows[0]) if rows else None


def moved(node: Node, last: Mapping[str, Any]) -> str | None:
    """Say where it was; None when it was where it is, however that is spelt."""
    was, now = (posixpath.normpath(path) for path in (last["data_directory"], node.data_directory))
    if was == now:
        return None
    return f"{node.name} was at {last['host']}:{was} in run {last['id']}, and is at {now} now"


def find_moved(primary: Primary, cluster: Cluster) -> list[Reported]:
    """Return the nodes whose directory is another one than in their last recovery."""
    found = {node: was_elsewhere(primary, node) for node in cluster.nodes}
    return [
        Reported(
            Severity.WARNING,
            node.node_id,
            fact,
            f"Check backend_data_directory{node.node_id} in pgpool.conf. When it is right, recover "
            "the node once: from then on it is known there.",
        )
        for node, fact in found.items()
        if fact is not None and node != primary.node
    ]
