"""Decide from what is known what to do when a node has gone down. Pure."""

from collections.abc import Collection, Iterator, Sequence

from pgpool_recovery.config.settings import (
    FailoverSettings,
    Promote,
    RunningPrimary,
    WhenIncomplete,
)
from pgpool_recovery.domain.error import RecoveryError, Refused
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.record import record, replace
from pgpool_recovery.hooks.call import Call
from pgpool_recovery.hooks.fitness import (
    is_doubtful,
    why_no_successor,
    why_not_stopped,
    why_unfit,
)
from pgpool_recovery.hooks.refusal import goes_on, no_old_primary, nobody_is_fit, still_writes
from pgpool_recovery.hooks.remark import distances, reasons_of_choice
from pgpool_recovery.hooks.scene import Scene, Standing


@record
class Leave:
    """Do nothing."""

    reason: str


@record
class KeepSlot:
    """A standby went down: check how much WAL its slot keeps."""


@record
class PromoteNode:
    """Promote a node. `remarks` explain the choice.

    `others` can be promoted instead, the best first, if it turns out that this one cannot.
    """

    node_id: NodeId
    remarks: tuple[str, ...] = ()
    others: tuple[NodeId, ...] = ()

    @property
    def all(self) -> tuple[NodeId, ...]:
        """All nodes that can be promoted, the best first."""
        return (self.node_id, *self.others)


@record
class StopOldPrimary:
    """The primary that Pgpool-II has given up accepts writes: stop it before one is promoted.

    `successors` are the nodes that can be promoted. Pgpool-II's choice comes first, because it may
    be the node that a person has asked for, and all of them will have the same WAL. No primary is
    stopped without a successor. `before` is what the primary reports about itself.
    """

    node_id: NodeId
    successors: tuple[NodeId, ...]
    before: Standing

    def __post_init__(self) -> None:
        """Make a stop without a successor impossible to construct."""
        assert self.successors  # noqa: S101 - a broken invariant


Decision = Leave | KeepSlot | StopOldPrimary | PromoteNode


def decide(call: Call, scene: Scene, settings: FailoverSettings) -> Decision | RecoveryError:
    """Return what a failover must do, or why it can do nothing.

    The order of the checks is the safety argument. That there is only one primary matters more than
    that there is one at all, and a primary that is alive is kept rather than replaced.
    """
    down, old = call.node_id, call.old_primary_id
    others = [node for node in scene.primaries() if node != old]
    if old is not None and down != old:
        return KeepSlot()
    if others:
        return _other_primary(down, others, scene)
    if old is None:
        return no_old_primary(down, scene)
    if call.new_id is None:
        return Refused(
            f"the primary, node {old}, is down and there is no node left to promote",
            hint=f'Start its server again, then attach it with "pgpool-recovery attach {old}".',
        )
    if old in scene.primaries():
        return _beside_the_living(call, old, scene, settings)
    choice = choose(old, call.new_id, scene, settings.promote)
    if isinstance(choice, PromoteNode) and old in scene.silent:
        silence = f"node {old} does not answer: {scene.silent[old]}"
        return replace(choice, remarks=(silence, *choice.remarks))
    return choice


def _beside_the_living(
    call: Call, old: NodeId, scene: Scene, settings: FailoverSettings
) -> StopOldPrimary | RecoveryError:
    """Decide whether a live primary may be stopped: only for a node that is known to be fit."""
    assert call.new_id is not None  # noqa: S101 - decide() has refused that
    if settings.running_primary is RunningPrimary.REFUSE:
        return still_writes(old, "The setting running_primary forbids stopping it.")
    before = scene.standings[old]
    if why := why_not_stopped(before):
        return still_writes(old, why)
    choice = choose(old, call.new_id, scene, settings.promote, living=before)
    if isinstance(choice, RecoveryError):
        return goes_on(old, choice.detail or choice.message)
    asked_first = sorted(choice.all, key=lambda node: node != call.new_id)
    return StopOldPrimary(old, tuple(asked_first), before)


def decide_after_stop(
    call: Call,
    scene: Scene,
    settings: FailoverSettings,
    stop: StopOldPrimary,
    complete: Collection[NodeId],
) -> Leave | PromoteNode | RecoveryError:
    """Return which node to promote once the primary has stopped: one with all the WAL it wrote.

    `complete` are the nodes whose WAL ends with the primary's shutdown checkpoint.
    """
    assert call.new_id is not None  # noqa: S101 - decide() has refused that
    if stop.node_id in scene.primaries():
        return still_writes(stop.node_id, "It was stopped, but accepts writes again.")
    if others := scene.primaries():
        return _other_primary(call.node_id, others, scene)
    choice = choose(stop.node_id, call.new_id, scene, settings.promote, before=stop.before)
    if isinstance(choice, RecoveryError):
        return choice
    whole = [node for node in choice.all if node in complete]
    if whole:
        first, *rest = whole
        remarks = choice.remarks if first == choice.node_id else tuple(distances(first, scene))
        remark = f"node {first} has all the WAL that node {stop.node_id} wrote"
        return PromoteNode(first, (*remarks, remark), tuple(rest))
    lacking = (
        f"the WAL of node {choice.node_id} does not end with the shutdown checkpoint of node "
        f"{stop.node_id}"
    )
    if settings.incomplete is WhenIncomplete.PROMOTE:
        loss = f"WARNING: {lacking}; the missing WAL is lost"
        return replace(choice, remarks=(*choice.remarks, loss))
    return Refused(
        f"no other node has all the WAL that node {stop.node_id} wrote, so none is promoted",
        detail=f"{lacking[0].upper()}{lacking[1:]}.",
        hint='Start it again as described above. With failover.incomplete = "promote" in the '
        "settings, a node is promoted all the same, and the WAL that it lacks is lost.",
    )


def choose(
    old: NodeId,
    main: NodeId,
    scene: Scene,
    promote: Promote,
    *,
    living: Standing | None = None,
    before: Standing | None = None,
) -> PromoteNode | RecoveryError:
    """Choose the fit standby that has received the most WAL; of equal ones, Pgpool-II's new main.

    A standby that has received less than another one would become primary without transactions that
    a client may have seen committed, and the other one would have to be rewound. This holds for
    synchronous standbys, too: WAL has no gaps, so the standby that has received the most has
    everything that any of the others has acknowledged.
    `living` is the primary that would have to be stopped first, `before` is one that was stopped.
    """
    members = (scene.attached | {main}) - {old}
    unfit = dict(_unfit(sorted(members), main, scene, living, before))
    fit = [node for node in members if node not in unfit]
    if promote is Promote.MAIN:
        fit = [node for node in fit if node == main]
    if not fit:
        return nobody_is_fit(main, unfit, scene)
    ranked = sorted(fit, key=lambda node: _rank(node, main, scene))
    best, *others = ranked
    return PromoteNode(best, tuple(reasons_of_choice(best, main, unfit, scene)), tuple(others))


def _rank(node: NodeId, main: NodeId, scene: Scene) -> tuple[int, int, bool, bool, NodeId]:
    one = scene.standings[node]
    return (-one.timeline, -one.position, is_doubtful(one), node != main, node)


def _unfit(
    members: Sequence[NodeId],
    main: NodeId,
    scene: Scene,
    living: Standing | None,
    before: Standing | None,
) -> Iterator[tuple[NodeId, str]]:
    """Yield each node that cannot be promoted, with the reason."""
    known = [living or before, scene.standings.get(main)]
    cluster = next((one.system_identifier for one in known if one is not None), None)
    known_members = [scene.standings[node] for node in members if node in scene.standings]
    clusters = {one.system_identifier for one in known_members}
    for node in members:
        one = scene.standings.get(node)
        if one is None:
            yield node, f"it could not be queried: {scene.silent.get(node)}"
        elif one.is_primary:
            yield node, "it accepts writes"
        elif cluster is None and len(clusters) > 1:
            yield node, "the nodes belong to different clusters, and it is not known which is right"
        elif cluster is not None and one.system_identifier != cluster:
            yield node, "it belongs to another cluster"
        elif before is not None and one.timeline != before.timeline:
            yield node, f"it is on timeline {one.timeline}, not {before.timeline}"
        elif why := why_unfit(one) or (living and why_no_successor(one, living)):
            yield node, why


def _other_primary(down: NodeId, others: Sequence[NodeId], scene: Scene) -> Leave:
    names = " and ".join(f"node {node}" for node in others)
    if down in scene.primaries():
        return Leave(f"WARNING: {names} and node {down} accept writes; stop all but one")
    if len(others) > 1:
        return Leave(f"WARNING: {names} accept writes; stop all but one. Nothing is promoted")
    return Leave(f"{names} is already the primary; nothing is promoted")
