"""What prevents a request to promote or to attach, by what was found out."""

from dataclasses import replace

import pytest

from pgpool_recovery.control.change import going_on, second_primary
from pgpool_recovery.control.primary import ServerAnswer
from pgpool_recovery.control.promotion import (
    no_primary,
    refuse_low_settings,
    refuse_primary_of_now,
    refuse_promotion,
    refuse_short_shutdown,
)
from pgpool_recovery.control.search import Search, search_of
from pgpool_recovery.domain.error import NoSession, Refused
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.pcp.client.node_info import NodeInfo
from pgpool_recovery.postgres.ping import PingAnswer
from tests.unit.cli import facts
from tests.unit.cli.facts import NODES, answer, info

NOW = 1_800_000_000
UP, DOWN = "up", "down"


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)


def lost(age_s: int = 10, role: str = "primary") -> NodeInfo:
    return info(0, DOWN, role)._replace(status_changed_at=NOW - age_s)


STANDBYS = (info(1, UP, "standby"), info(2, "waiting", "standby"))


def search(*infos: NodeInfo, timeout: str = "300") -> Search | None:
    parameters = {"search_primary_node_timeout": timeout}
    return search_of(replace(facts.cluster(*infos), parameters=parameters))


@pytest.mark.parametrize(
    ("infos", "timeout", "expected"),
    [
        ((lost(), *STANDBYS), "300", Search(NodeId(0), 290)),
        ((lost(), *STANDBYS), "20s", Search(NodeId(0), 10)),
        ((lost(9999), *STANDBYS), "0", Search(NodeId(0), None)),
        ((lost(350), *STANDBYS), "300", Search(NodeId(0), -50)),
        ((lost(), info(1, UP, "primary")), "300", None),
        ((lost(role="standby"), *STANDBYS), "300", None),
        ((lost(400), *STANDBYS), "300", None),
        ((lost(), info(1, DOWN, "standby")), "300", None),
    ],
    ids=["10 s ago", "unit", "no limit", "late", "found", "given up", "long over", "all are down"],
)
def test_search(infos: tuple[NodeInfo, ...], timeout: str, expected: Search | None) -> None:
    """As pcp_node_info showed it on 4.3.5, 4.6.1 and 4.7.3 during the search, and afterwards."""
    assert search(*infos, timeout=timeout) == expected


def test_time_left_is_said() -> None:
    assert "may last for another 290 s" in Search(NodeId(0), 290).sentence
    assert "may last for another 1 s" in Search(NodeId(0), -50).sentence
    assert "nothing limits the search" in Search(NodeId(0), None).sentence


@pytest.mark.parametrize("switchover", [True, False])
def test_promotion_while_pgpool_looks_for_a_primary(*, switchover: bool) -> None:
    cluster = facts.cluster(lost(), *STANDBYS)
    with pytest.raises(Refused, match="Pgpool-II has no primary at the moment") as caught:
        refuse_promotion(cluster, NODES[1], switchover=switchover)
    assert "pg_promote()" in str(caught.value.hint) or not switchover


def test_promotion_of_a_node_that_pgpool_does_not_use() -> None:
    cluster = facts.cluster(info(0, UP, "primary"), info(1, DOWN, "standby"))
    with pytest.raises(Refused, match="node 1 is down in Pgpool-II"):
        refuse_promotion(cluster, NODES[1], switchover=False)


def silent(number: int) -> ServerAnswer:
    return ServerAnswer(NODES[number], None, NoSession("could not connect", detail="Refused."))


@pytest.mark.parametrize(
    ("status", "order"), [(UP, "promote 0"), (DOWN, "attach 0")], ids=["used", "detached"]
)
def test_no_primary_in_pgpool(status: str, order: str) -> None:
    cluster = facts.cluster(info(0, status, "standby"), *STANDBYS)
    answers = {NodeId(0): answer(0, is_in_recovery=False), NodeId(1): answer(1)}
    assert f'"pgpool-recovery {order}"' in str(no_primary(cluster, NODES[1], answers).hint)
    answers[NodeId(0)] = silent(0)
    assert '"pgpool-recovery promote 1"' in str(no_primary(cluster, NODES[1], answers).hint)


PRIMARY = answer(0, is_in_recovery=False)


@pytest.mark.parametrize(
    ("now", "then", "message"),
    [
        (silent(0), answer(1), "the server of node 0, the primary, could not be queried"),
        (answer(0), answer(1), "node 0, which Pgpool-II takes for the primary, is a standby"),
        (PRIMARY, silent(1), "the server of node 1 could not be queried"),
        (PRIMARY, answer(1, is_in_recovery=False), "node 1 accepts writes, but node 0"),
    ],
)
def test_primary_of_now(now: ServerAnswer, then: ServerAnswer, message: str) -> None:
    answers = {NodeId(0): now, NodeId(1): then}
    with pytest.raises(Refused, match=message):
        refuse_primary_of_now(NODES[1], NODES[0], answers)
    refuse_primary_of_now(NODES[1], NODES[0], {NodeId(0): PRIMARY, NodeId(1): answer(1)})


def test_node_that_is_the_primary() -> None:
    with pytest.raises(Refused, match="node 0 is already the primary"):
        refuse_primary_of_now(NODES[0], NODES[0], {NodeId(0): PRIMARY})


def test_settings_that_are_too_low() -> None:
    wanted = {"max_connections": 150, "max_wal_senders": 10}
    refuse_low_settings(NODES[1], NODES[0], wanted | {"max_connections": 200}, wanted)
    with pytest.raises(Refused, match="would shut down") as caught:
        refuse_low_settings(NODES[1], NODES[0], wanted | {"max_connections": 100}, wanted)
    assert caught.value.detail == "max_connections is 100 there, and 150 on node 0."


def test_which_of_two_primaries_pgpool_takes() -> None:
    assert "which is node 2" in str(second_primary(NODES[2], NODES[0]).detail)
    assert "which is node 1" in str(second_primary(NODES[0], NODES[1]).detail)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"follow_primary_command": "/x"}, "Pgpool-II calls its follow_primary_command"),
        ({"follow_primary_command": ""}, "pgpool-recovery recover --all-down"),
    ],
)
def test_what_goes_on_after_a_promotion(parameters: dict[str, str], said: str) -> None:
    [sentence] = going_on(parameters, [info(0, DOWN, "standby"), info(1, UP, "primary")])
    assert sentence.startswith("node 0 is down")
    assert said in sentence
    assert list(going_on(parameters, [info(1, UP, "primary")])) == []


def test_hint_does_not_promote_beside_a_primary_that_refuses_the_login() -> None:
    """It is running; pg_promote() would result in two primaries."""
    closed = replace(silent(0), answers=PingAnswer.UP)
    answers = {NodeId(0): closed, NodeId(1): answer(1)}
    with pytest.raises(Refused) as raised:
        refuse_primary_of_now(NODES[1], NODES[0], answers)
    for hint in (raised.value.hint, no_primary(facts.cluster(), NODES[1], answers).hint):
        assert hint is not None
        assert "t is running, but could not be queried. If a server refuses the login, " in hint
        assert "pg_promote" not in hint


@pytest.mark.parametrize("patience_ms", [-1, 10_000])
def test_primary_that_waits_on_shutdown(patience_ms: int) -> None:
    refuse_short_shutdown(NODES[0], patience_ms)


@pytest.mark.parametrize("patience_ms", [0, 9_999])
def test_primary_that_does_not_wait_on_shutdown(patience_ms: int) -> None:
    with pytest.raises(Refused, match="node 0 would not wait on shutdown") as refused:
        refuse_short_shutdown(NODES[0], patience_ms)
    assert refused.value.detail == f"wal_sender_shutdown_timeout is {patience_ms} ms there."
