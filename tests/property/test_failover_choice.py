"""Decisions in generated scenes: at most one primary results, and we never remove the only one."""

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from pgpool_recovery.config.settings import (
    FailoverSettings,
    Promote,
    RunningPrimary,
    WhenIncomplete,
)
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.wal import Lsn, TimelineId
from pgpool_recovery.hooks.call import Call, CalledPlace
from pgpool_recovery.hooks.choice import (
    PromoteNode,
    StopOldPrimary,
    choose,
    decide,
    decide_after_stop,
)
from pgpool_recovery.hooks.scene import Scene, Standing

NODES = tuple(map(NodeId, range(4)))

standings = st.builds(
    Standing,
    is_primary=st.sampled_from([False] * 9 + [True]),
    timeline=st.sampled_from([TimelineId(2)] * 3 + [TimelineId(1)]),
    position=st.integers(1, 3).map(Lsn),
    system_identifier=st.sampled_from(["ours"] * 9 + ["other"]),
    is_paused=st.booleans(),
    may_promote=st.sampled_from([True, True, True, False]),
    receiver=st.sampled_from([None, "streaming", "streaming"]),
    settings=st.sampled_from(
        [{"max_connections": "100"}, {"max_connections": "50"}, {"recovery_target": "immediate"}]
    ),
    required=st.sampled_from([None, {"max_connections": 50}, {"max_connections": 100}]),
)
settings = st.builds(
    FailoverSettings,
    promote=st.sampled_from(Promote),
    running_primary=st.sampled_from([RunningPrimary.STOP] * 4 + [RunningPrimary.REFUSE]),
    incomplete=st.sampled_from(WhenIncomplete),
)


PRIMARY = Standing(
    is_primary=True,
    timeline=TimelineId(2),
    position=Lsn(3),
    system_identifier="ours",
    settings={"max_connections": "100"},
)


HEALTHY = replace(PRIMARY, is_primary=False, position=Lsn(2), receiver="streaming", required={})


ANY_FIRST: st.SearchStrategy[Standing | None] = (
    st.sampled_from([PRIMARY, PRIMARY, None]) | standings
)


@st.composite
def scenes(draw: st.DrawFn, first: st.SearchStrategy[Standing | None] = ANY_FIRST) -> Scene:
    """Draw the servers' answers; node 0 is mostly the old primary, which is running or silent."""
    others = st.sampled_from([HEALTHY, None]) | standings
    found = {node: draw(first if node == 0 else others) for node in NODES}
    return Scene(
        {node: one for node, one in found.items() if one is not None},
        {node: "silent" for node, one in found.items() if one is None},
        draw(st.frozensets(st.sampled_from(NODES), min_size=1)),
    )


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """Draw the words of Pgpool-II; mostly node 0 is the one that is down and was the primary."""
    down = draw(st.sampled_from([NodeId(0), NodeId(0), NodeId(0), *NODES]))
    old = draw(st.sampled_from([down, down, down, NodeId(0), None]))
    new = draw(st.sampled_from([NodeId(1), NodeId(1), NodeId(2), NodeId(0), None]))
    return Call(down, CalledPlace(), new, CalledPlace(), NodeId(0), old, CalledPlace())


@st.composite
def stops(draw: st.DrawFn) -> tuple[Call, Scene, FailoverSettings, StopOldPrimary]:
    """Draw a running primary that is detached, and the decision to stop it.

    Pgpool-II's choice is mostly fit, because most random scenes give no reason to stop anything.
    """
    new = draw(st.sampled_from(NODES[:3]))
    call = Call(NodeId(0), CalledPlace(), new, CalledPlace(), NodeId(0), NodeId(0), CalledPlace())
    scene, chosen = draw(scenes(st.just(PRIMARY))), draw(settings)
    if new != 0 and draw(st.sampled_from([True, True, True, False])):
        silent = {node: why for node, why in scene.silent.items() if node != new}
        scene = Scene({**scene.standings, new: HEALTHY}, silent, scene.attached | {new})
    decision = decide(call, scene, chosen)
    assume(isinstance(decision, StopOldPrimary))
    assert isinstance(decision, StopOldPrimary)
    return call, scene, chosen, decision


def becomes_primary(one: Standing) -> bool:
    """Return whether PostgreSQL could promote a standby, according to a separate model."""
    least = one.required or {}
    starts = all(int(one.settings.get(name, 100)) >= number for name, number in least.items())
    return starts and one.may_promote and not one.settings.get("recovery_target")


@given(stops())
def test_promise_10_nothing_that_lives_is_stopped_without_a_fit_successor(
    drawn: tuple[Call, Scene, FailoverSettings, StopOldPrimary],
) -> None:
    call, scene, settings, decision = drawn
    assert decision.node_id == call.node_id == call.old_primary_id
    assert scene.primaries() == [decision.node_id]
    assert settings.running_primary is RunningPrimary.STOP
    assert decision.successors
    for node in decision.successors:
        one = scene.standings[node]
        assert node != decision.node_id
        assert becomes_primary(one)
        assert one.is_streaming
        assert not one.is_primary
        before = decision.before
        assert (one.system_identifier, one.timeline) == (before.system_identifier, before.timeline)
        assert node in scene.attached | {call.new_id}


@given(calls(), scenes(), settings)
def test_promise_10_no_node_is_promoted_beside_a_primary(
    call: Call, scene: Scene, settings: FailoverSettings
) -> None:
    decision = decide(call, scene, settings)
    if isinstance(decision, PromoteNode):
        assert scene.primaries() == []
        assert all(becomes_primary(scene.standings[node]) for node in decision.all)
        assert call.old_primary_id not in decision.all


@given(calls(), scenes(), settings)
def test_promise_10_a_fit_standby_is_promoted_when_the_primary_is_gone(
    call: Call, scene: Scene, settings: FailoverSettings
) -> None:
    """It is the fit standby on the newest timeline that has received the most WAL."""
    alone = replace(
        scene,
        standings={node: one for node, one in scene.standings.items() if not one.is_primary},
    )
    clusters = {one.system_identifier for one in alone.standings.values()}
    old, new = call.old_primary_id, call.new_id
    if old is None or call.node_id != old or new is None or len(clusters) > 1:
        return
    members = (alone.attached | {new}) - {old}
    if settings.promote is Promote.MAIN:
        members &= {new}
    known = members & set(alone.standings)
    fit = {node for node in known if becomes_primary(alone.standings[node])}
    decision = decide(call, alone, settings)
    assert isinstance(decision, PromoteNode) == bool(fit)
    if isinstance(decision, PromoteNode):
        assert set(decision.all) == fit
        most = max(alone.standings[node].point for node in fit)
        assert alone.standings[decision.node_id].point == most


@given(stops(), st.frozensets(st.sampled_from(NODES)))
def test_promise_10_after_a_stop_only_whoever_has_everything_is_promoted(
    drawn: tuple[Call, Scene, FailoverSettings, StopOldPrimary], complete: frozenset[NodeId]
) -> None:
    call, scene, settings, stop = drawn
    left = {
        node: replace(one, receiver=None)
        for node, one in scene.standings.items()
        if node != stop.node_id
    }
    stopped = replace(scene, standings=left, silent={**scene.silent, stop.node_id: "refused"})
    decision = decide_after_stop(call, stopped, settings, stop, complete)
    can = set(stop.successors) & complete
    if isinstance(decision, PromoteNode):
        assert all(becomes_primary(left[node]) for node in decision.all)
        if settings.incomplete is WhenIncomplete.REFUSE:
            assert set(decision.all) <= complete
    assert isinstance(decision, PromoteNode) or not can


@given(scenes(), st.sampled_from(NODES))
def test_choice_knows_no_primary(scene: Scene, main: NodeId) -> None:
    choice = choose(NodeId(0), main, scene, Promote.MOST_ADVANCED)
    if isinstance(choice, PromoteNode):
        assert not any(scene.standings[node].is_primary for node in choice.all)
        assert NodeId(0) not in choice.all
