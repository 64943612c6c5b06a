"""Notice that a node's data directory has changed, which may be a mistake in pgpool.conf.

A full copy into an unintended directory leaves two, and the service keeps running from the wrong
one.
"""

import posixpath
from collections.abc import Mapping
from typing import Any

from pgpool_recovery.check.finding import Severity
from pgpool_recovery.control.check import Reported
from pgpool_recovery.control.cluster import Cluster, Node
from pgpool_recovery.control.extension import Feature, Primary


def was_elsewhere(primary: Primary, node: Node) -> str | None:
    """Return where a node was at its last recovery if that was elsewhere; None without a record."""
    if not primary.has(Feature.HISTORY):
        return None
    with primary.connect(Feature.HISTORY) as connection:
        rows = connection.rows("last_place", node_id=node.node_id)
    return moved(node, rows[0]) if rows else None


def moved(node: Node, last: Mapping[str, Any]) -> str | None:
    """Return a sentence that says where it was; None for the same directory, however spelt."""
    was, now = (posixpath.normpath(path) for path in (last["data_directory"], node.data_directory))
    if was == now:
        return None
    return f"{node.name} was at {last['host']}:{was} in recovery {last['id']}, and is at {now} now"


def find_moved(primary: Primary, cluster: Cluster) -> list[Reported]:
    """Return a finding for each node whose directory differs from that of its last recovery."""
    found = {node: was_elsewhere(primary, node) for node in cluster.nodes}
    return [
        Reported(
            Severity.WARNING,
            node.node_id,
            fact,
            f"Check backend_data_directory{node.node_id} in pgpool.conf. If it is right, recover "
            "the node once; from then on, that directory is on record.",
        )
        for node, fact in found.items()
        if fact is not None and node != primary.node
    ]
