"""What a check has the nodes try on the way to each other."""

import pytest

from pgpool_recovery import cluster_check
from pgpool_recovery.check.question import CheckQuestion, PoolFacts
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.plan.named_host import names_every_host
from pgpool_recovery.talk.protocol import Peer
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
