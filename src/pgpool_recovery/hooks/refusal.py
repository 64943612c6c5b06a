"""Word why a failover does nothing, and what to do then. Pure."""

from collections.abc import Mapping

from pgpool_recovery.domain.error import RecoveryError, Refused, Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.wal import lsn_text
from pgpool_recovery.hooks.scene import Scene


def still_writes(old: NodeId, why: str) -> RecoveryError:
    """Return the refusal to promote a node while the primary is running."""
    return Refused(
        f"node {old} still accepts writes, so no other node is promoted",
        detail=f"There would be two primaries. {why}",
        hint="Stop its server and promote another one with pg_promote(), or wait until Pgpool-II "
        "has ended its search for a primary, and attach it again with "
        f'"pgpool-recovery attach {old}".',
    )


def lives_unseen(old: NodeId, sign: str) -> RecoveryError:
    """Return the refusal to promote a node while standbys hear a primary that this host cannot.

    Attaching it does not help until the link is repaired.
    """
    return Refused(
        f"node {old} still accepts writes, so no other node is promoted",
        detail=f"There would be two primaries. {sign}",
        hint=f'Repair the link from this host to it, then run "pgpool-recovery attach {old}". To '
        "give it up, first stop its server on its own host, then run "
        '"SELECT pg_promote()" on another node. Pgpool-II finds that node while it searches for a '
        'primary; after the search, make it known with "pgpool-recovery promote N".',
    )


def goes_on(old: NodeId, why: str) -> RecoveryError:
    """Return why a live primary is left alone: no other node can take its place."""
    return Refused(
        f"node {old} still accepts writes and is not stopped, because no other node can take its "
        "place",
        detail=why,
        hint="Pgpool-II now searches for a primary for up to search_primary_node_timeout, and "
        "accepts no command in the meantime. When that is over, attach the node with "
        f'"pgpool-recovery attach {old}".',
    )


def no_old_primary(down: NodeId, scene: Scene) -> RecoveryError:
    facts = [
        "No server that could be queried accepts writes.",
        (
            "It cannot be determined from here which one has every committed transaction, so none "
            "is promoted."
        ),
    ]
    facts += [
        f"Node {node} has received WAL up to {lsn_text(one.position)} on timeline {one.timeline}."
        for node, one in sorted(scene.standings.items())
    ]
    return Refused(
        f"node {down} is down, and Pgpool-II does not know which node was the primary",
        detail="\n".join(facts),
        hint="Start the server that was the primary, or promote the right one with pg_promote().",
    )


def nobody_is_fit(main: NodeId, unfit: Mapping[NodeId, str], scene: Scene) -> RecoveryError:
    reasons = "\n".join(f"Node {node}: {why}." for node, why in sorted(unfit.items()))
    if main in unfit and main not in scene.standings:
        return Unreachable(
            f"could not query node {main}, the one to promote",
            detail=reasons,
            hint="No other node was promoted. Check that this host can connect to it with psql.",
        )
    return Refused(
        "no node can be promoted",
        detail=reasons or "Pgpool-II uses no other node.",
        hint="Fix what the reasons name and promote the node with pg_promote(), or start the old "
        "primary again.",
    )
