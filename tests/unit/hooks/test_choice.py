"""What a failover decides, from what is known."""

from dataclasses import replace

import pytest

from pgpool_recovery.config.settings import FailoverSettings, Promote, RunningPrimary
from pgpool_recovery.domain.error import Refused, Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.wal import Lsn, TimelineId
from pgpool_recovery.hooks.call import Call, Place
from pgpool_recovery.hooks.choice import (
    KeepSlot,
    Leave,
    PromoteNode,
    Scene,
    Standing,
    StopOldPrimary,
    decide,
)

CLUSTER = "7298271828459045235"
SILENT = "could not connect: connection refused"


def call(down: int = 0, new: int | None = 1, old: int | None = 0) -> Call:
    new_id = None if new is None else NodeId(new)
    old_id = None if old is None else NodeId(old)
    return Call(NodeId(down), Place(), new_id, Place(), NodeId(0), old_id, Place())


def standby(position: int = 100, *, timeline: int = 1, cluster: str = CLUSTER) -> Standing:
    return Standing(
        is_primary=False,
        timeline=TimelineId(timeline),
        position=Lsn(position),
        system_identifier=cluster,
    )


def primary() -> Standing:
    return replace(standby(), is_primary=True)


def scene(*standings: Standing | None, attached: set[int] | None = None) -> Scene:
    """Return a scene of nodes 0, 1, …; None is one that does not answer."""
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
    """Return the node that is promoted when node 0 is lost, and what is said of it."""
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
    assert "node 2 has received 200 bytes of WAL more than node 1, Pgpool-II's choice" in said


def test_of_two_that_are_ahead_the_first() -> None:
    assert promoted(scene(None, standby(100), standby(300), standby(300)))[0] == 2


def test_choice_of_pgpool_is_kept_where_the_settings_say_so() -> None:
    node, said = promoted(scene(None, standby(100), standby(300)), promote=Promote.MAIN)
    assert node == 1
    assert "node 2 has received 200 bytes of WAL more than node 1; they are lost" in said


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (standby(300, timeline=2), "cannot be compared: it is on timeline 2, node 1 on timeline 1"),
        (standby(300, cluster="1"), "node 2 belongs to another cluster"),
        (None, f"node 2 could not be asked how far it is: {SILENT}"),
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
    assert f"node 1, Pgpool-II's choice, could not be asked: {SILENT}" in said


@pytest.mark.parametrize(
    ("found", "settings"),
    [
        (scene(None, None, standby()), {"promote": Promote.MAIN}),
        (scene(None, None, None), {}),
        (scene(None, None, standby(), standby(cluster="1")), {}),
    ],
)
def test_nobody_can_be_promoted(found: Scene, settings: dict[str, object]) -> None:
    assert isinstance(decided(call(), found, **settings), Unreachable)


def test_standby_that_went_down() -> None:
    found = scene(primary(), standby(), None, attached={0, 1})
    assert decided(call(down=2, new=0), found) == KeepSlot()


def test_standby_that_went_down_while_the_primary_does_not_answer() -> None:
    """Pgpool-II will say so itself when the primary is gone."""
    assert decided(call(down=2, new=1), scene(None, standby(), None)) == KeepSlot()


def test_primary_that_lives_is_stopped_first() -> None:
    assert decided(call(), scene(primary(), standby())) == StopOldPrimary(NodeId(0))


def test_primary_that_lives_where_it_must_not_be_stopped() -> None:
    found = scene(primary(), standby())
    refused = decided(call(), found, running_primary=RunningPrimary.REFUSE)
    assert isinstance(refused, Refused)
    assert "still accepts writes" in refused.message


def test_primary_that_lives_is_not_stopped_when_nobody_is_left() -> None:
    assert isinstance(decided(call(new=None), scene(primary())), Refused)


@pytest.mark.parametrize("old", [0, None])
def test_there_is_a_primary_already(old: int | None) -> None:
    decision = decided(call(old=old), scene(None, standby(), primary()))
    assert decision == Leave("node 2 is the primary already; nothing is promoted")


def test_there_are_two_primaries() -> None:
    decision = decided(call(), scene(primary(), primary()))
    assert isinstance(decision, Leave)
    assert decision.reason.startswith("WARNING: node 1 and node 0 accept writes both")


def test_nobody_knows_the_primary() -> None:
    refused = decided(call(old=None), scene(None, standby()))
    assert isinstance(refused, Refused)
    assert "does not know which node was the primary" in refused.message
