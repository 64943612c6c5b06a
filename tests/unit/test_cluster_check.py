"""What a check has the nodes try on the way to each other, and what it does when time is up."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pgpool_recovery import cluster_check
from pgpool_recovery.check.question import CheckQuestion, PoolFacts
from pgpool_recovery.config.settings import Settings, TimeoutSettings
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.record import replace
from pgpool_recovery.facts.node import NodeFacts, Problem
from pgpool_recovery.observe.turns import Turns
from pgpool_recovery.plan.named_host import names_every_host
from pgpool_recovery.talk.request.host import Peer
from tests.unit.check.situation import node
from tests.unit.check.situation import peer as reached_peer
from tests.unit.plan import situation

HERE, AWAY = "here", "192.0.2.7"


@pytest.fixture(autouse=True)
def only_one_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_check, "is_this_host", lambda host: host != AWAY)


def peer(node: str, other: str, *, may_name_hosts: bool) -> Peer:
    nodes = tuple(Target(host, "/data", NodeId(n), 5432) for n, host in enumerate((node, other)))
    question = CheckQuestion(nodes, PoolFacts(), may_name_hosts=may_name_hosts)
    return cluster_check.peer_of(
        question, 0, 1, situation.primary(), situation.target(), Settings()
    )


def hosts(asked: Peer) -> set[str]:
    return {conninfo["host"] for conninfo in (*asked.candidates, *asked.sql_candidates)}


def test_places_of_this_host_are_tried_on_this_host() -> None:
    for may_name_hosts in (True, False):
        assert {HERE, "/run/postgresql", "localhost"} <= hosts(
            peer(HERE, HERE, may_name_hosts=may_name_hosts)
        )
        assert hosts(peer(AWAY, AWAY, may_name_hosts=may_name_hosts)) == {AWAY}


@pytest.mark.parametrize("other", ["localhost", "127.0.0.1", "127.1.2.3", "/tmp", "@x"])
def test_promise_13_nobody_logs_in_at_any_place_of_another_host(other: str) -> None:
    asked = peer(AWAY, other, may_name_hosts=False)
    assert hosts(asked) == set()
    node = Target(AWAY, "/data", NodeId(0), 5432)
    assert other in cluster_check.why_untried(situation.primary(), asked, node).message
    assert names_every_host(other)


def look(monkeypatch: pytest.MonkeyPatch, hung: threading.Event) -> dict[int, cluster_check.Found]:
    """Examine four nodes in a moment: 1 fails, 2 hangs at once, 3 while it tries the others."""

    def look_at_node(_: Any, place: int, *others: Any) -> Iterator[NodeFacts]:
        turns, until = others[-2:]
        assert isinstance(turns, Turns)
        if place == 1:
            raise Unreachable("it is gone")
        if place == 2:
            hung.wait(20)
        found = replace(node(0), peers={})
        yield found
        for other in turns.in_turn(place, until):
            if place == 3:
                hung.wait(20)
            found = replace(found, peers=found.peers | {other: reached_peer()})
            yield found

    monkeypatch.setattr(cluster_check, "look_at_node", look_at_node)
    nodes = tuple(Target(f"server{number}", "/data", NodeId(number), 5432) for number in range(4))
    settings = Settings(timeout=TimeoutSettings(check_s=0.2))
    question = CheckQuestion(nodes, PoolFacts())
    return cluster_check.look_at_all(question, situation.primary(), 0, settings, 5432)


def test_what_was_found_in_time_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    hung = threading.Event()
    try:
        found = look(monkeypatch, hung)
    finally:
        hung.set()
    gone, slow = found[1], found[2]
    assert isinstance(gone, Problem)
    assert "it is gone" in gone.message
    assert isinstance(slow, Problem)
    assert slow.message == "node 2 could not be examined within 0.2 s"
    peers = {place: one.peers for place, one in found.items() if isinstance(one, NodeFacts)}
    assert {place: set(tried) for place, tried in peers.items()} == {0: {3}, 3: set()}


def test_node_that_fails_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_at_node(_: Any, place: int, *others: Any) -> Iterator[NodeFacts]:
        turns, until = others[-2:]
        if place == 1:
            raise Unreachable("it is gone")
        yield node(0)
        assert list(turns.in_turn(place, until)) == []

    monkeypatch.setattr(cluster_check, "look_at_node", look_at_node)
    nodes = tuple(Target(f"server{number}", "/data", NodeId(number), 5432) for number in range(2))
    settings = Settings(timeout=TimeoutSettings(check_s=60))
    began = time.monotonic()
    cluster_check.look_at_all(
        CheckQuestion(nodes, PoolFacts()), situation.primary(), 0, settings, 5432
    )
    assert time.monotonic() - began < 30
