"""Explain a choice: why it is this node, and what is lost with it. Pure."""

from collections.abc import Iterator, Mapping

from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.wal import lsn_text
from pgpool_recovery.hooks.scene import Scene


def reasons_of_choice(
    best: NodeId, main: NodeId, unfit: Mapping[NodeId, str], scene: Scene
) -> Iterator[str]:
    """Yield why it is not Pgpool-II's choice, what is lost, and how far the other nodes are."""
    yield from _about_choice(best, main, unfit, scene)
    yield from _losses(best, unfit, scene)
    yield from distances(best, scene)


def _about_choice(
    best: NodeId, main: NodeId, unfit: Mapping[NodeId, str], scene: Scene
) -> Iterator[str]:
    """Yield why it is not Pgpool-II's choice, unless that is the old primary."""
    if best == main or (main not in unfit and main not in scene.standings):
        return
    if main in unfit:
        yield f"node {main}, Pgpool-II's choice, is not promoted: {unfit[main]}"
        return
    one, own = scene.standings[best], scene.standings[main]
    if one.timeline != own.timeline:
        yield (
            f"node {best} is on timeline {one.timeline}; node {main}, Pgpool-II's choice, is on "
            f"timeline {own.timeline}"
        )
    elif one.position > own.position:
        ahead = one.position - own.position
        yield (
            f"node {best} has received {ahead} bytes more WAL than node {main}, Pgpool-II's choice"
        )


def _losses(best: NodeId, unfit: Mapping[NodeId, str], scene: Scene) -> Iterator[str]:
    """Yield what is lost because nodes that have more WAL are not promoted, and why not."""
    own = scene.standings[best]
    for node, one in sorted(scene.standings.items()):
        is_like = (one.system_identifier, one.timeline) == (own.system_identifier, own.timeline)
        if not is_like or one.is_primary or node not in scene.attached | set(unfit):
            continue
        if one.position > own.position:
            why = unfit.get(node, "the settings say to promote Pgpool-II's choice")
            yield (
                f"WARNING: node {node} has received {one.position - own.position} bytes more WAL "
                f"than node {best}; they are lost, because {why}"
            )


def distances(chosen: NodeId, scene: Scene) -> Iterator[str]:
    """Yield how far each node that Pgpool-II uses has received WAL, or why that is unknown."""
    if scene.unknown is not None:
        yield f"only the new main node was examined: {scene.unknown}"
    own = scene.standings[chosen]
    for node in sorted(scene.attached - {chosen}):
        other = scene.standings.get(node)
        if other is None:
            yield f"could not get the WAL position of node {node}: {scene.silent.get(node)}"
        elif own.system_identifier != other.system_identifier:
            yield f"node {node} belongs to another cluster"
        elif own.timeline != other.timeline:
            yield (
                f"node {node} cannot be compared: it is on timeline {other.timeline}, "
                f"node {chosen} on timeline {own.timeline}"
            )
        else:
            yield f"node {node} has received WAL up to {lsn_text(other.position)}"
    yield f"node {chosen} has received WAL up to {lsn_text(own.position)}"
