"""What `status` says of a second primary, and of servers that could not be asked."""

import pytest

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.operator.primary import Answer, choose_primary
from pgpool_recovery.operator.status import node_status
from pgpool_recovery.postgres.ping import Answers
from tests.unit.cli.facts import NODES, answer, cluster, info, slot, stream


@pytest.mark.parametrize(
    ("number", "primary", "wins"), [(2, 0, True), (0, 2, False)], ids=["higher", "lower"]
)
def test_detached_second_primary(number: int, primary: int, *, wins: bool) -> None:
    """Attached, the one with the higher id would get all writes."""
    seen = answer(number, is_in_recovery=False)
    known = cluster(info(number, "down", "standby"))
    problems = node_status(seen, known, NODES[primary], [], [], []).problems
    assert problems[0] == f"it accepts writes, but node {primary} is the primary"
    assert any("by its higher id" in one for one in problems) is wins


def silent(number: int, answers: Answers) -> Answer:
    refused = Unreachable(f"could not connect to node {number}", detail="no password supplied")
    return Answer(NODES[number], None, refused, answers=answers)


@pytest.mark.parametrize(
    ("answers", "word"),
    [(Answers.UP, "no login"), (Answers.REJECTING, "rejecting"), (Answers.DOWN, "down")],
)
def test_server_that_could_not_be_asked(answers: Answers, word: str) -> None:
    """Who refuses a login runs."""
    seen = silent(1, answers)
    said = node_status(seen, cluster(info(1, "up", "standby")), NODES[0], [], [], [])
    assert said.server == word
    assert ("refuses our login" in said.problems[0]) is (word == "no login")


def test_what_the_primary_says_of_a_standby_that_refuses_the_login() -> None:
    """It lists it as streaming."""
    streams, slots = [stream(1)], [slot("pgpool_node_1")]
    seen = silent(1, Answers.UP)
    said = node_status(seen, cluster(), NODES[0], streams, slots, [])
    assert said.replication_state == "streaming"
    gone = silent(1, Answers.DOWN)
    assert node_status(gone, cluster(), NODES[0], streams, slots, []).replication_state is None


def test_no_primary_where_a_server_refuses_the_login() -> None:
    """It may be the one, so nobody is told to promote a standby."""
    with pytest.raises(Unreachable) as raised:
        choose_primary(cluster(), (silent(0, Answers.UP), answer(1)))
    assert raised.value.hint is not None
    assert raised.value.hint.startswith("node 0 may be the primary")
    assert "romote" not in raised.value.hint


def test_primary_that_pgpool_does_not_use() -> None:
    said = node_status(
        answer(0, is_in_recovery=False),
        cluster(info(0, "down", "primary")),
        NODES[0],
        [],
        [],
        [],
    )
    assert said.problems == ("it is the primary, but Pgpool-II does not use it: attach it",)
