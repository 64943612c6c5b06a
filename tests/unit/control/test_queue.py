"""A second recovery of a node is refused at once, or waits."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pgpool_recovery.control import queue
from pgpool_recovery.control.cluster import Node
from pgpool_recovery.control.queue import wait_for_turn
from pgpool_recovery.control.record import RecordedRun, RunProgress
from pgpool_recovery.domain.error import Busy, Unreachable
from pgpool_recovery.domain.target_state import TargetState
from tests.unit.cli import facts

if TYPE_CHECKING:
    from pgpool_recovery.control.extension import Primary

NODE = facts.NODES[2]


@dataclass
class Recorded:
    """A primary whose record changes from query to query; a fake of ours."""

    looks: list[list[RunProgress]]
    run: RecordedRun | None = None
    has_record: bool = True
    asked: list[str] = field(default_factory=list)

    def has(self, _feature: object) -> bool:
        return self.has_record

    @contextmanager
    def connect(self, _feature: object) -> Iterator["Recorded"]:
        yield self

    def rows(self, query: str, **_parameters: object) -> list[dict[str, Any]]:
        if query == "run":
            assert self.run is not None
            return [vars(self.run)]
        return [vars(one) for one in (self.looks.pop(0) if self.looks else [])]


def turn(
    recorded: Recorded, *, waits: bool = False, within_s: float = 60, node: Node = NODE
) -> RecordedRun | None:
    primary = cast("Primary", recorded)
    return wait_for_turn(primary, node, recorded.asked.append, waits=waits, within_s=within_s)


def test_refused_at_once_with_the_run() -> None:
    with pytest.raises(Busy, match="another recovery of node 2 is running") as busy:
        turn(Recorded([[facts.running()]]))
    assert busy.value.detail == "It is recovery 7, at step 3 of 6."
    assert busy.value.target is TargetState.UNKNOWN, "it is being replaced"


@pytest.mark.parametrize(
    "changes", [{"node_id": 1}, {"state": "interrupted"}, {"state": "copied"}, {"node_id": None}]
)
def test_another_node_or_an_interrupted_run(changes: dict[str, Any]) -> None:
    assert turn(Recorded([[facts.running(**{"data_directory": "/x", **changes})]])) is None


def test_without_node_id_it_is_known_by_its_place() -> None:
    with pytest.raises(Busy):
        turn(Recorded([[facts.running(node_id=None)]]))


@pytest.mark.parametrize("host", ["", "/tmp"])
def test_place_on_a_socket_is_known_as_the_stages_call_it(host: str) -> None:
    node = replace(NODE, host=host, data_directory="/data/")
    found = facts.running(node_id=None, host="localhost", data_directory="/data")
    with pytest.raises(Busy):
        turn(Recorded([[found]]), node=node)


def test_waits_behind_it_also_between_copy_and_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "LOOK_EVERY_S", 0)
    looks = [[facts.running(state=state)] for state in ("running", "copied", "starting")]
    recorded = Recorded([*looks, []], facts.run())
    found = turn(recorded, waits=True)
    assert found is not None
    assert found.state == "recovered"
    assert len(recorded.asked) == 1
    assert recorded.looks == [], "until nothing runs"


def test_wait_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "LOOK_EVERY_S", 0)
    with pytest.raises(Unreachable, match="has made no progress for"):
        turn(Recorded([[facts.running()]] * 1000), waits=True, within_s=0)


def test_nothing_is_on_record() -> None:
    assert turn(Recorded([], has_record=False)) is None


def test_wait_has_no_limit_for_what_gets_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time is counted from the last progress: bytes, a step or a state, not the time."""
    now = iter(range(1000))
    monkeypatch.setattr(queue, "LOOK_EVERY_S", 0)
    monkeypatch.setattr("time.monotonic", lambda: float(next(now)))
    looks = [[facts.running(done_bytes=number)] for number in range(20)]
    found = turn(Recorded([*looks, []], facts.run()), waits=True, within_s=2)
    assert found is not None
    stuck = [[facts.running(done_bytes=7, elapsed_s=float(number))] for number in range(20)]
    with pytest.raises(Unreachable, match="has made no progress for"):
        turn(Recorded([*stuck, []], facts.run()), waits=True, within_s=2)
