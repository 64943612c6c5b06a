"""What `status` reports about a second primary, and about servers that could not be queried."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pgpool_recovery.control import status
from pgpool_recovery.control.primary import ServerAnswer, choose_primary, how_to_ask
from pgpool_recovery.control.record import RunProgress
from pgpool_recovery.control.status import Status, node_status, read_status
from pgpool_recovery.domain.error import Denied, NoSession, RecoveryError, Unreachable
from pgpool_recovery.postgres.ping import PingAnswer
from tests.unit.cli.facts import NODES, answer, cluster, info, running, slot, stream


@pytest.mark.parametrize(
    ("number", "primary", "wins"), [(2, 0, True), (0, 2, False)], ids=["higher", "lower"]
)
def test_detached_second_primary(number: int, primary: int, *, wins: bool) -> None:
    """If attached, the one with the higher node id would get all writes."""
    seen = answer(number, is_in_recovery=False)
    known = cluster(info(number, "down", "standby"))
    problems = node_status(seen, known, NODES[primary], [], [], []).problems
    assert problems[0] == f"it accepts writes, but node {primary} is the primary"
    assert any("because of its higher node id" in one for one in problems) is wins


def silent(number: int, answers: PingAnswer) -> ServerAnswer:
    refused = NoSession(f"could not connect to node {number}", detail="no password supplied")
    return ServerAnswer(NODES[number], None, refused, answers=answers)


@pytest.mark.parametrize(
    ("answers", "word"),
    [(PingAnswer.UP, "no login"), (PingAnswer.REJECTING, "rejecting"), (PingAnswer.DOWN, "down")],
)
def test_server_that_could_not_be_asked(answers: PingAnswer, word: str) -> None:
    """A server that answers is running, whatever the reason that it gave us no session."""
    seen = silent(1, answers)
    said = node_status(seen, cluster(info(1, "up", "standby")), NODES[0], [], [], [])
    assert said.server == word
    is_running = said.problems[0] == "its server is running, but could not be queried"
    assert is_running is (word == "no login")


def test_query_that_failed_is_no_login_that_was_refused() -> None:
    late = Unreachable('query "standing" failed on node 0', detail="canceling statement")
    seen = ServerAnswer(NODES[0], None, late, answers=PingAnswer.UP)
    said = node_status(seen, cluster(info(0, "up", "primary")), None, [], [], [])
    assert said.server == "up"
    assert said.problems == ("its server is running, but could not be queried",)
    assert "login" not in how_to_ask(seen, "")
    with pytest.raises(Unreachable) as raised:
        choose_primary(cluster(), (seen, answer(1)))
    assert raised.value.hint == (
        "node 0 may be the primary: it is running, but could not be queried. Try again, or check "
        "its log."
    )


def test_what_the_primary_says_of_a_standby_that_refuses_the_login() -> None:
    """It lists it as streaming."""
    streams, slots = [stream(1)], [slot("pgpool_node_1")]
    seen = silent(1, PingAnswer.UP)
    said = node_status(seen, cluster(), NODES[0], streams, slots, [])
    assert said.replication_state == "streaming"
    gone = silent(1, PingAnswer.DOWN)
    assert node_status(gone, cluster(), NODES[0], streams, slots, []).replication_state is None


def test_no_primary_where_a_server_refuses_the_login() -> None:
    """It may be the primary, so the hint is not to promote a standby."""
    with pytest.raises(Unreachable) as raised:
        choose_primary(cluster(), (silent(0, PingAnswer.UP), answer(1)))
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
    assert said.problems == ("it is the primary, but Pgpool-II does not use it; attach it",)


class Primary:
    """The primary of a cluster, its extension and a connection to both; a fake of ours."""

    def __init__(self, *runs: RunProgress, denied: RecoveryError | None = None) -> None:
        self.runs, self.denied, self.looks = runs, denied, 0

    @contextmanager
    def connect(self, *_words: object) -> Iterator["Primary"]:
        yield self

    def look(self, *_words: object) -> "Primary":
        self.looks += 1
        return self

    def has(self, _feature: object) -> bool:
        return True

    def rows(self, query: str) -> list[dict[str, Any]]:
        if query == "runs_in_progress":
            if self.denied is not None:
                raise self.denied
            return [vars(run) for run in self.runs]
        return [stream(1)] if query == "standbys" else [slot("pgpool_node_1")]


def read(patch: pytest.MonkeyPatch, primary: Primary, asked: ServerAnswer) -> Status:
    """Return the status of a primary and node 1, a sound standby that was detached."""
    answers = (answer(0, is_in_recovery=False), asked)
    patch.setattr(status, "ask_all", lambda _cluster: answers)
    patch.setattr(status, "connect_to", primary.connect)
    patch.setattr(status, "look_at", primary.look)
    patch.setattr(status, "found_on_target", lambda *_words: "on the target: There is data.")
    known = cluster(info(0, "up", "primary"), info(1, "down", "standby"))
    return read_status(known, None)


def test_recovery_that_was_interrupted_is_said_with_what_is_there_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    primary = Primary(running(node_id=1, state="interrupted"))
    said = read(monkeypatch, primary, silent(1, PingAnswer.DOWN))
    [remark] = said.remarks
    assert remark.startswith("node 1: recovery 7 was interrupted in step 3 of 6: copy about 120 GB")
    assert "; on the target: There is data. Check " in remark
    assert remark.endswith('"pgpool-recovery recover 1".')
    assert primary.looks == 1, "it is not examined again for each"


def test_problems_of_a_node_are_said_unless_a_recovery_of_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupted = Primary(running(node_id=1, state="interrupted"))
    assert read(monkeypatch, interrupted, answer(1)).nodes[1].problems
    assert read(monkeypatch, Primary(running(node_id=1)), answer(1)).nodes[1].problems == ()
    assert read(monkeypatch, Primary(running(node_id=1)), answer(1)).remarks == ()


def test_record_that_cannot_be_read_hides_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = Denied("role watcher may not read the record of recoveries")
    said = read(monkeypatch, Primary(denied=denied), answer(1))
    assert said.remarks == ("role watcher may not read the record of recoveries",)
    assert said.nodes[1].replication_state == "streaming"
