"""Why a failover does nothing, and what a person does then. Pure."""

from collections.abc import Mapping

from pgpool_recovery.domain.error import RecoveryError, Refused, Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.wal import lsn_text
from pgpool_recovery.hooks.scene import Scene


def still_writes(old: NodeId, why: str) -> RecoveryError:
    """Return the refusal to promote beside a primary that runs."""
    return Refused(
        f"node {old} still accepts writes, so no other node is promoted",
        detail=f"There would be two primaries. {why}",
        hint="Stop its server and promote another one with pg_promote(), or, when Pgpool-II has "
        "ended its search for a primary, attach it again with "
        f'"pgpool-recovery attach {old}".',
    )


def lives_unseen(old: NodeId, sign: str) -> RecoveryError:
    """Return the refusal to promote beside a primary that the standbys hear and this host cannot.

    To attach it is no way out before the link is mended.
    """
    return Refused(
        f"node {old} still accepts writes, so no other node is promoted",
        detail=f"There would be two primaries. {sign}",
        hint=f'Mend the link from this host to it, then "pgpool-recovery attach {old}". To give it '
        'up, stop its server on its own host first, then "SELECT pg_promote()" on another node. '
        "Pgpool-II finds that one while it searches for a primary; after that, "
        '"pgpool-recovery promote N" tells it.',
    )


def goes_on(old: NodeId, why: str) -> RecoveryError:
    """Return why a primary that lives is left alone: nobody could take its place."""
    return Refused(
        f"node {old} still accepts writes and is not stopped, for no other node could take its "
        "place",
        detail=why,
        hint="Pgpool-II now searches for a primary, for as long as search_primary_node_timeout "
        "says, and takes no order meanwhile. When that is over, attach the node with "
        f'"pgpool-recovery attach {old}".',
    )


def no_old_primary(down: NodeId, scene: Scene) -> RecoveryError:
    facts = [
        "No server that could be asked accepts writes.",
        "Which one has all that was committed cannot be told from here, so none is promoted.",
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
            f"node {main}, which is to be promoted, could not be asked",
            detail=reasons,
            hint="No other node was promoted. Check that this host can connect with psql.",
        )
    return Refused(
        "no node can be promoted",
        detail=reasons or "Pgpool-II uses no other node.",
        hint="Mend what is said there and promote the node with pg_promote(), or bring the old "
        "primary back.",
    )
