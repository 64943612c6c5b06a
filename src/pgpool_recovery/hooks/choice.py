"""What is to be done when a node went down: from what is known to a decision. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pgpool_recovery.config.settings import FailoverSettings, Promote, RunningPrimary
from pgpool_recovery.domain.error import RecoveryError, Refused, Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.wal import Lsn, TimelineId, lsn_text
from pgpool_recovery.hooks.call import Call


@dataclass(frozen=True)
class Standing:
    """What a server says of itself: which timeline it has come to and how far, of which cluster.

    Of a standby `position` is what it has received, which it replays before it is promoted.
    """

    is_primary: bool
    timeline: TimelineId
    position: Lsn
    system_identifier: str


@dataclass(frozen=True)
class Scene:
    """The servers by node id: what each says, or why it says nothing.

    `attached` are the nodes that Pgpool-II uses. `unknown` is why the others could not be looked
    at, when it did not say which there are.
    """

    standings: Mapping[NodeId, Standing]
    silent: Mapping[NodeId, str]
    attached: frozenset[NodeId]
    unknown: str | None = None

    def primaries(self) -> list[NodeId]:
        """Return the nodes that accept writes."""
        return sorted(node for node, one in self.standings.items() if one.is_primary)


@dataclass(frozen=True)
class Leave:
    """There is nothing to do."""

    reason: str


@dataclass(frozen=True)
class KeepSlot:
    """A standby went down: look after the WAL that its slot keeps."""


@dataclass(frozen=True)
class StopOldPrimary:
    """The primary that Pgpool-II has given up accepts writes: stop it before one is promoted."""

    node_id: NodeId


@dataclass(frozen=True)
class PromoteNode:
    """Promote a node; what is to be known of the choice."""

    node_id: NodeId
    remarks: tuple[str, ...] = ()


Decision = Leave | KeepSlot | StopOldPrimary | PromoteNode


def decide(call: Call, scene: Scene, settings: FailoverSettings) -> Decision | RecoveryError:
    """Return what a failover is to do, or why it can do nothing.

    The order is the argument: that there is one primary comes before that there is any.
    """
    down, old = call.node_id, call.old_primary_id
    others = [node for node in scene.primaries() if node != old]
    if old is not None and down != old:
        return KeepSlot()
    if others:
        return _other_primary(down, others, scene)
    if old is None:
        return _no_old_primary(down)
    if call.new_id is None:
        return Refused(
            f"the primary, node {old}, is down and there is no node left to promote",
            hint=f'Bring its server back, and attach it with "pgpool-recovery attach {old}".',
        )
    if old in scene.primaries():
        if settings.running_primary is RunningPrimary.REFUSE:
            return still_writes(old, "running_primary in the settings forbids to stop it.")
        return StopOldPrimary(old)
    choice = choose(call.new_id, scene, settings.promote)
    if isinstance(choice, PromoteNode) and old in scene.silent:
        silence = f"node {old} does not answer: {scene.silent[old]}"
        return replace(choice, remarks=(silence, *choice.remarks))
    return choice


def choose(main: NodeId, scene: Scene, promote: Promote) -> PromoteNode | RecoveryError:
    """Choose the standby: Pgpool-II's new main node, or one that has received more.

    Whoever has less than another standby would be primary without transactions that a client may
    have seen committed, and the other one would have to be rewound.
    """
    own = scene.standings.get(main)
    rivals = {
        node: one
        for node, one in scene.standings.items()
        if node in scene.attached and node != main and not one.is_primary
    }
    clusters = {one.system_identifier for one in rivals.values()}
    if own is None and (promote is Promote.MAIN or len(clusters) != 1):
        return Unreachable(
            f"node {main}, which is to be promoted, could not be asked",
            detail=scene.silent.get(main),
            hint="No other node was promoted. Check that this host can connect with psql.",
        )
    if own is None:
        best = max(rivals, key=lambda node: (_point(rivals[node]), -node))
        remark = f"node {main}, Pgpool-II's choice, could not be asked: {scene.silent.get(main)}"
        return PromoteNode(best, (remark, *_remarks(best, scene)))
    comparable = {node: one for node, one in rivals.items() if _is_like(own, one)}
    ahead = [node for node, one in comparable.items() if one.position > own.position]
    if not ahead:
        return PromoteNode(main, tuple(_remarks(main, scene)))
    best = max(ahead, key=lambda node: (comparable[node].position, -node))
    bytes_ahead = comparable[best].position - own.position
    fact = f"node {best} has received {bytes_ahead} bytes of WAL more than node {main}"
    if promote is Promote.MAIN:
        lost = f"{fact}; they are lost, for the settings say to promote Pgpool-II's choice"
        return PromoteNode(main, (lost, *_remarks(main, scene)))
    return PromoteNode(best, (f"{fact}, Pgpool-II's choice", *_remarks(best, scene)))


def still_writes(old: NodeId, why: str) -> RecoveryError:
    """Return the refusal to promote beside a primary that runs."""
    return Refused(
        f"node {old} still accepts writes, so no other node is promoted",
        detail=f"There would be two primaries. {why}",
        hint=f'Attach it again with "pgpool-recovery attach {old}", or stop its server and promote '
        "another one with pg_promote().",
    )


def _other_primary(down: NodeId, others: Sequence[NodeId], scene: Scene) -> Decision:
    names = " and ".join(f"node {node}" for node in others)
    if down in scene.primaries():
        return Leave(f"WARNING: {names} and node {down} accept writes both; stop one of them")
    return Leave(f"{names} is the primary already; nothing is promoted")


def _no_old_primary(down: NodeId) -> RecoveryError:
    return Refused(
        f"node {down} is down, and Pgpool-II does not know which node was the primary",
        detail="No server that could be asked accepts writes. Which one has all that was "
        "committed cannot be told from here, so none is promoted.",
        hint="Start the server that was the primary, or promote the right one with pg_promote().",
    )


def _is_like(own: Standing, other: Standing) -> bool:
    return (own.system_identifier, own.timeline) == (other.system_identifier, other.timeline)


def _point(standing: Standing) -> tuple[TimelineId, Lsn]:
    return standing.timeline, standing.position


def _remarks(chosen: NodeId, scene: Scene) -> Iterator[str]:
    """Say with the numbers how far the nodes are that Pgpool-II uses, and which it cannot say."""
    if scene.unknown is not None:
        yield f"only the new main node was looked at: {scene.unknown}"
    own = scene.standings[chosen]
    for node in sorted(scene.attached - {chosen}):
        other = scene.standings.get(node)
        if other is None:
            yield f"node {node} could not be asked how far it is: {scene.silent.get(node)}"
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
