"""A recovery whose runner is gone, and the end of a cancel that is not recorded."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pgpool_recovery.control.cancel import _calls_of, _End
from pgpool_recovery.control.interrupted import found_on_target, next_step, sentence_of
from pgpool_recovery.control.plan import PlannedRecovery
from pgpool_recovery.control.record import (
    COPIED,
    INTERRUPTED,
    RecordedRun,
    RecordReader,
    RunProgress,
)
from pgpool_recovery.plan.document import PlanDocument
from tests.unit.cli.facts import NODES

if TYPE_CHECKING:
    from pgpool_recovery.postgres.connection import Connection

NODE = NODES[1]
STOPPED = {"step": 3, "steps": 6, "sentence": "copy about 1 GB"}


def test_says_where_it_stopped() -> None:
    run = RunProgress(7, node_id=1, state=INTERRUPTED, **cast("Any", STOPPED))
    assert sentence_of(run) == "recovery 7 was interrupted in step 3 of 6: copy about 1 GB"
    assert sentence_of(RunProgress(7)) == "recovery 7 was interrupted"
    assert '"pgpool-recovery recover 1"' in next_step(NODE)


def test_record_of_it_says_so_too() -> None:
    failure = RecordedRun(7, node_id=1, state=INTERRUPTED, **cast("Any", STOPPED)).failure()
    assert failure is not None
    assert "in step 3 of 6: copy about 1 GB." in (failure.detail or "")
    assert '"pgpool-recovery plan 1"' in (failure.hint or "")
    assert "None" not in str(RecordedRun(7, state=INTERRUPTED).failure())


class Primary:
    node = NODES[0]

    def __init__(self, *, has_plan: bool = True) -> None:
        self._has_plan = has_plan

    def has(self, _feature: object) -> bool:
        return self._has_plan


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"target_found": "There is data."}, "on the target: There is data."),
        ({"reasons": [{"message": "no ssh"}]}, "could not examine the target: no ssh"),
        ({}, "could not examine the target: no reason was given"),
    ],
)
def test_what_is_on_the_target(
    monkeypatch: pytest.MonkeyPatch, document: dict[str, Any], said: str
) -> None:
    planned = PlannedRecovery(NODE, PlanDocument(document))
    monkeypatch.setattr(
        "pgpool_recovery.control.interrupted.read_plan", lambda *_, **_more: planned
    )
    assert found_on_target(cast("Any", Primary()), NODE) == said
    primary = cast("Any", Primary(has_plan=False))
    assert found_on_target(primary, NODE) == "the target was not examined"


class Seen:
    """The record and the sessions of a primary."""

    def __init__(self) -> None:
        self.state = COPIED
        self.calls: list[dict[str, Any]] = []

    def run(self, _run_id: int) -> RecordedRun:
        return RecordedRun(7, node_id=1, state=self.state)

    def rows(self, _query: str) -> list[dict[str, Any]]:
        return self.calls


def test_cancel_between_the_stages_ends_when_no_call_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That is not recorded: the run stays copied."""
    seen, now = Seen(), 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    end = _End(cast("RecordReader", seen), cast("Connection", seen), 7, NODE)
    assert not end.has_come(), "the remote start is called in a moment"
    now = 2.0
    query = f"SELECT pgpool_remote_start('{NODE.host}', '{NODE.data_directory}')"
    seen.calls = [{"pid": 1, "query": query}]
    assert not end.has_come()
    seen.calls, now = [], 4.0
    assert not end.has_come()
    now = 8.0
    assert end.has_come()
    seen.state = "cancelled"
    assert _End(cast("RecordReader", seen), cast("Connection", seen), 7, NODE).has_come()


@pytest.mark.parametrize("host", ["", "/tmp", "server1"])
def test_calls_of_a_node_on_a_socket_have_the_host_of_the_stages(host: str) -> None:
    node = replace(NODE, host=host)
    seen = Seen()
    called = "localhost" if host != "server1" else host
    calls = [f"SELECT pgpool_remote_start('{one}', '{NODE.data_directory}')" for one in HOSTS]
    seen.calls = [{"pid": pid, "query": query} for pid, query in enumerate(calls)]
    found = _calls_of(cast("Connection", seen), node)
    assert [HOSTS[call["pid"]] for call in found] == [called]


HOSTS = ("server1", "localhost", "/tmp")
