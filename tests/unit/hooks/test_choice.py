"""What a failover decides, from what is known."""

from dataclasses import replace

import pytest

from pgpool_recovery.config.settings import (
    FailoverSettings,
    Promote,
    RunningPrimary,
    WhenIncomplete,
)
from pgpool_recovery.domain.error import Refused, Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.wal import Lsn, TimelineId
from pgpool_recovery.hooks.call import Call, CalledPlace
from pgpool_recovery.hooks.choice import (
    KeepSlot,
    Leave,
    PromoteNode,
    StopOldPrimary,
    decide,
    decide_after_stop,
)
from pgpool_recovery.hooks.refusal import lives_unseen
from pgpool_recovery.hooks.scene import Scene, Standing, lives_for

CLUSTER = "7298271828459045235"
SILENT = "could not connect: connection refused"


def call(down: int = 0, new: int | None = 1, old: int | None = 0) -> Call:
    new_id = None if new is None else NodeId(new)
    old_id = None if old is None else NodeId(old)
    return Call(
        NodeId(down), CalledPlace(), new_id, CalledPlace(), NodeId(0), old_id, CalledPlace()
    )


def standby(position: int = 100, *, timeline: int = 1, cluster: str = CLUSTER) -> Standing:
    return Standing(
        is_primary=False,
        timeline=TimelineId(timeline),
        position=Lsn(position),
        system_identifier=cluster,
        receiver="streaming",
        settings={"max_connections": "100"},
        required={"max_connections": 100},
    )


def primary() -> Standing:
    return replace(standby(), is_primary=True, receiver=None, required=None)


def small() -> dict[str, str]:
    return {"max_connections": "50"}


def scene(*standings: Standing | None, attached: set[int] | None = None) -> Scene:
    """Return a scene of nodes 0, 1, …; None is a node that does not answer."""
    nodes = dict(enumerate(standings))
    used = {node for node in nodes if node != 0} if attached is None else attached
    return Scene(
        {NodeId(node): one for node, one in nodes.items() if one is not None},
        {NodeId(node): SILENT for node, one in nodes.items() if one is None},
        frozenset(map(NodeId, used)),
    )


def decided(call: Call, scene: Scene, **settings: object) -> object:
    return decide(call, scene, FailoverSettings(**settings))  # type: ignore[arg-type]


def promoted(scene: Scene, new: int = 1, **settings: object) -> tuple[int, str]:
    """Return the node that is promoted when node 0 is lost, and the remarks about it."""
    decision = decided(call(new=new), scene, **settings)
    assert isinstance(decision, PromoteNode), decision
    return decision.node_id, "\n".join(decision.remarks)


def test_new_main_node_is_promoted_when_all_are_equal() -> None:
    node, said = promoted(scene(None, standby(), standby()), new=2)
    assert node == 2
    assert said.splitlines() == [
        f"node 0 does not answer: {SILENT}",
        "node 1 has received WAL up to 0/64",
        "node 2 has received WAL up to 0/64",
    ]


def test_the_most_advanced_is_promoted() -> None:
    node, said = promoted(scene(None, standby(100), standby(300), standby(200)))
    assert node == 2
    assert "node 2 has received 200 bytes more WAL than node 1, Pgpool-II's choice" in said


def test_of_two_that_are_ahead_the_first() -> None:
    assert promoted(scene(None, standby(100), standby(300), standby(300)))[0] == 2


def test_choice_of_pgpool_is_kept_where_the_settings_say_so() -> None:
    node, said = promoted(scene(None, standby(100), standby(300)), promote=Promote.MAIN)
    assert node == 1
    assert "node 2 has received 200 bytes more WAL than node 1; they are lost" in said


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (standby(300, timeline=0), "cannot be compared: it is on timeline 0, node 1 on timeline 1"),
        (standby(300, cluster="1"), "node 2 belongs to another cluster"),
        (None, f"could not get the WAL position of node 2: {SILENT}"),
    ],
)
def test_node_that_cannot_be_compared(other: Standing | None, said: str) -> None:
    node, remarks = promoted(scene(None, standby(100), other))
    assert node == 1
    assert said in remarks


def test_node_that_pgpool_does_not_use_is_not_promoted() -> None:
    assert promoted(scene(None, standby(100), standby(300), attached={1}))[0] == 1


def test_new_main_node_that_does_not_answer() -> None:
    node, said = promoted(scene(None, None, standby(100), standby(300)))
    assert node == 3
    assert f"node 1, Pgpool-II's choice, is not promoted: it could not be queried: {SILENT}" in said


@pytest.mark.parametrize(
    ("found", "settings"),
    [
        (scene(None, None, standby()), {"promote": Promote.MAIN}),
        (scene(None, None, None), {}),
        (scene(None, None, standby(), standby(cluster="1")), {}),
    ],
)
def test_no_node_can_be_promoted(found: Scene, settings: dict[str, object]) -> None:
    assert isinstance(decided(call(), found, **settings), Unreachable)


def test_standby_that_went_down() -> None:
    found = scene(primary(), standby(), None, attached={0, 1})
    assert decided(call(down=2, new=0), found) == KeepSlot()


def test_standby_that_went_down_while_the_primary_does_not_answer() -> None:
    """Pgpool-II itself will report when the primary is gone."""
    assert decided(call(down=2, new=1), scene(None, standby(), None)) == KeepSlot()


def test_newer_timeline_has_what_the_last_primary_wrote() -> None:
    node, said = promoted(scene(None, standby(300), standby(100, timeline=2)))
    assert node == 2
    assert "node 2 is on timeline 2; node 1, Pgpool-II's choice, is on timeline 1" in said


UNFIT = {
    "settings": ({"settings": small()}, "max_connections is 50 there, but must be at least 100"),
    "target": (
        {"settings": {"recovery_target_lsn": "0/50"}},
        "not replay beyond its recovery target, recovery_target_lsn = '0/50'",
    ),
    "privilege": ({"may_promote": False}, "its login may not call pg_promote()"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_unfit_standby_is_not_promoted_while_another_one_is_fit(name: str) -> None:
    wrong, why = UNFIT[name]
    node, said = promoted(scene(None, replace(standby(300), **wrong), standby(100)))  # type: ignore[arg-type]
    assert node == 2
    assert why in said
    assert "WARNING: node 1 has received 200 bytes more WAL than node 2; they are lost" in said


@pytest.mark.parametrize("name", UNFIT)
def test_no_node_is_fit(name: str) -> None:
    wrong, why = UNFIT[name]
    refused = decided(call(), scene(None, replace(standby(), **wrong)))  # type: ignore[arg-type]
    assert isinstance(refused, Refused)
    assert why in str(refused.detail)


@pytest.mark.parametrize("known", [True, False])
def test_paused_standby_is_promoted(*, known: bool) -> None:
    """Paused by hand, or to delay it; if the reason is unknown it is tried, then the next one."""
    paused = replace(standby(300), is_paused=True)
    if not known:
        paused = replace(paused, required=None)
    decision = decided(call(), scene(None, paused, standby(100)))
    assert isinstance(decision, PromoteNode)
    assert decision.all == (1, 2)


def test_of_equal_ones_that_whose_pause_is_understood() -> None:
    paused = replace(standby(), is_paused=True, required=None)
    assert promoted(scene(None, paused, standby()))[0] == 2


def test_primary_that_lives_is_stopped_for_a_standby_that_is_known_to_be_fit() -> None:
    found = scene(primary(), standby(50), standby(100))
    decision = decided(call(), found)
    assert isinstance(decision, StopOldPrimary)
    assert (decision.node_id, decision.successors) == (0, (1, 2))


def test_promise_10_node_that_was_asked_for_is_the_first_that_a_primary_is_stopped_for() -> None:
    """An operator who asks to promote node 3 means it, though node 2 is ahead by an instant."""
    found = scene(primary(), standby(50), standby(100), standby(100))
    decision = decided(call(new=3), found)
    assert isinstance(decision, StopOldPrimary)
    assert decision.successors == (3, 2, 1)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (None, f"Node 1: it could not be queried: {SILENT}."),
        (standby(cluster="1"), "Node 1: it belongs to another cluster."),
        (standby(timeline=2), "Node 1: it is on timeline 2, the primary on timeline 1."),
        (replace(standby(), receiver=None), "Node 1: it does not stream."),
        (replace(standby(), required={}, settings=small()), "max_connections is 50 there"),
        (replace(standby(), settings=small()), "max_connections is 50 there"),
        (replace(standby(), may_promote=False), "may not call pg_promote()"),
    ],
)
def test_promise_10_primary_that_lives_goes_on_when_no_node_can_take_its_place(
    other: Standing | None, why: str
) -> None:
    refused = decided(call(), scene(primary(), other))
    assert isinstance(refused, Refused)
    assert refused.message.startswith("node 0 still accepts writes and is not stopped")
    assert why in str(refused.detail)
    assert "pgpool-recovery attach 0" in str(refused.hint)
    assert "search_primary_node_timeout" in str(refused.hint)
    assert "When that is over, attach the node" in str(refused.hint)


def test_node_to_be_promoted_is_the_primary_itself() -> None:
    """As when it is detached while the others are down for follow_primary_command."""
    refused = decided(call(new=0), scene(primary(), standby(), attached=set()))
    assert isinstance(refused, Refused)
    assert "Pgpool-II uses no other node" in str(refused.detail)
    stop = decided(call(new=0), scene(primary(), standby(), attached={0, 1}))
    assert isinstance(stop, StopOldPrimary)
    assert stop.successors == (1,)


@pytest.mark.parametrize(("patience", "is_stopped"), [("-1", True), ("0", False), ("9999", False)])
def test_primary_that_would_not_wait_for_its_standbys(patience: str, *, is_stopped: bool) -> None:
    """wal_sender_shutdown_timeout of PostgreSQL 19."""
    found = scene(replace(primary(), settings={"wal_sender_shutdown_timeout": patience}), standby())
    assert isinstance(decided(call(), found), StopOldPrimary) == is_stopped


def after_stop(complete: set[int], *standings: Standing | None, **settings: object) -> object:
    """Return what is decided when node 0 has stopped."""
    stop = StopOldPrimary(NodeId(0), (NodeId(1), NodeId(2)), primary())
    found = scene(None, *standings)
    own = FailoverSettings(**settings)  # type: ignore[arg-type]
    return decide_after_stop(call(), found, own, stop, {NodeId(node) for node in complete})


def test_node_that_has_everything_is_promoted() -> None:
    ended = [replace(standby(), receiver=None), replace(standby(), receiver=None)]
    decision = after_stop({2}, *ended)
    assert isinstance(decision, PromoteNode)
    assert decision.all == (2,)
    assert decision.remarks[-1] == "node 2 has all the WAL that node 0 wrote"
    both = after_stop({1, 2}, *ended)
    assert isinstance(both, PromoteNode)
    assert both.all == (1, 2)


def test_no_node_has_everything() -> None:
    refused = after_stop(set(), standby(), standby())
    assert isinstance(refused, Refused)
    assert refused.message.startswith("no other node has all the WAL that node 0 wrote")
    consent = after_stop(set(), standby(), standby(), incomplete=WhenIncomplete.PROMOTE)
    assert isinstance(consent, PromoteNode)
    assert "the missing WAL is lost" in consent.remarks[-1]


def test_primary_that_was_stopped_is_back() -> None:
    stop = StopOldPrimary(NodeId(0), (NodeId(1),), primary())
    found = scene(primary(), standby())
    refused = decide_after_stop(call(), found, FailoverSettings(), stop, {NodeId(1)})
    assert isinstance(refused, Refused)
    assert "It was stopped, but accepts writes again" in str(refused.detail)


def test_standby_that_hears_from_the_primary() -> None:
    here = replace(standby(), sender="server0:5432", heard_at=10.0)
    later = replace(here, heard_at=11.0)
    elsewhere = replace(later, sender="server2:5432")
    others = {"server1:5432", "server2:5432"}
    assert lives_for(others, scene(None, here, here), scene(None, later, here)) == [1]
    assert lives_for(others, scene(None, here), scene(None, elsewhere)) == []
    cascading = replace(here, sender="server2:5432")
    assert lives_for(others, scene(None, cascading), scene(None, elsewhere)) == []


def test_promise_10_primary_is_heard_under_whatever_name_its_standbys_reach_it() -> None:
    """With server0 in pgpool.conf and an IP address in primary_conninfo, a rival was promoted."""
    here = replace(standby(), sender="10.0.0.1:5432", heard_at=10.0)
    later = replace(here, heard_at=11.0)
    assert lives_for({"server1:5432"}, scene(None, here), scene(None, later)) == [1]


def test_primary_that_lives_where_it_must_not_be_stopped() -> None:
    found = scene(primary(), standby())
    refused = decided(call(), found, running_primary=RunningPrimary.REFUSE)
    assert isinstance(refused, Refused)
    assert "still accepts writes" in refused.message


def test_primary_that_lives_is_not_stopped_when_no_node_is_left() -> None:
    assert isinstance(decided(call(new=None), scene(primary())), Refused)


@pytest.mark.parametrize("old", [0, None])
def test_there_is_already_a_primary(old: int | None) -> None:
    decision = decided(call(old=old), scene(None, standby(), primary()))
    assert decision == Leave("node 2 is already the primary; nothing is promoted")


def test_there_are_two_primaries() -> None:
    decision = decided(call(), scene(primary(), primary()))
    assert isinstance(decision, Leave)
    assert decision.reason == "WARNING: node 1 and node 0 accept writes; stop all but one"


def test_there_are_two_primaries_beside_the_one_that_is_down() -> None:
    decision = decided(call(), scene(None, primary(), primary()))
    assert isinstance(decision, Leave)
    assert decision.reason == (
        "WARNING: node 1 and node 2 accept writes; stop all but one. Nothing is promoted"
    )


def test_primary_is_not_known() -> None:
    refused = decided(call(old=None), scene(None, standby()))
    assert isinstance(refused, Refused)
    assert "does not know which node was the primary" in refused.message


def test_hint_for_a_primary_that_only_the_standbys_hear_does_not_begin_with_attach() -> None:
    hint = str(lives_unseen(NodeId(0), "Node 1 hears it.").hint)
    assert hint.index("Repair the link") < hint.index("pgpool-recovery attach 0")
    assert hint.index("stop its server") < hint.index("pg_promote()")
