"""Look for Pgpool-II's own traps in what PCP, the servers and pgpool.conf say together."""

import re
from collections.abc import Mapping

from pgpool_recovery.check.trap import SeenNode, SeenPool, Written, traps
from pgpool_recovery.control.check import Reported
from pgpool_recovery.control.cluster import Cluster, Node, connect_to
from pgpool_recovery.control.pool_file import differences
from pgpool_recovery.control.primary import ServerAnswer, ask_all
from pgpool_recovery.control.release import release_line
from pgpool_recovery.control.streaming import stream_of
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.node import NodeId


def find_traps(cluster: Cluster, primary: Node) -> list[Reported]:
    """Return a finding for each trap; none without Pgpool-II."""
    if not cluster.parameters:
        return []
    seen = _seen(cluster, primary)
    return [Reported(str(one.severity), one.node_id, one.fact, one.advice) for one in traps(seen)]


def _seen(cluster: Cluster, primary: Node) -> SeenPool:
    answers = ask_all(cluster)
    names = _application_names(cluster, primary, answers) if cluster.has_standbys else {}
    written = tuple(
        Written(node.node_id, one.fact, one.advice)
        for node in cluster.nodes
        for one in differences(cluster, node)
    )
    return SeenPool(
        tuple(_node(cluster, answer, names) for answer in answers),
        cluster.parameters,
        written,
        release_line(cluster.parameters, cluster.infos),
        next((_major(one) for one in answers if one.node == primary), None),
    )


def _node(cluster: Cluster, answer: ServerAnswer, names: Mapping[NodeId, str]) -> SeenNode:
    node, facts = answer.node, answer.facts or {}
    info = cluster.info(node.node_id)
    return SeenNode(
        node.node_id,
        f"{node.host}:{node.port}",
        is_attached=info is not None and info.is_attached,
        is_primary=answer.is_primary if answer.facts and cluster.has_standbys else None,
        sender=facts.get("sender"),
        application_name=names.get(node.node_id),
    )


def _application_names(
    cluster: Cluster, primary: Node, answers: tuple[ServerAnswer, ...]
) -> dict[NodeId, str]:
    """Return the application_name under which the primary sees each node streaming."""
    try:
        with connect_to(primary, cluster.login) as connection:
            streams = connection.rows("standbys")
    except RecoveryError:  # It is reported elsewhere.
        return {}
    found = {
        answer.node.node_id: stream_of(answer.node, answer, streams)
        for answer in answers
        if answer.facts is not None and not answer.is_primary
    }
    return {key: one["application_name"] for key, one in found.items() if one is not None}


def _major(answer: ServerAnswer) -> int | None:
    found = re.match(r"\d+", (answer.facts or {}).get("version", ""))
    return int(found[0]) if found else None
