"""A follower knows when a recovery has got on: however long it takes, it is waited for then."""

import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from pgpool_recovery.control.follower import Follower
from pgpool_recovery.control.record import RunProgress
from tests.unit.cli import facts


class Record:
    """What is on record of run 7, look by look."""

    def __init__(self, looks: Iterator[RunProgress]) -> None:
        self._looks = looks

    def all_events(self, _run_id: int, *, after: int) -> list[Any]:
        assert after == -1
        return []

    def progress(self) -> list[RunProgress]:
        return [next(self._looks)]


@pytest.mark.parametrize(
    ("first", "second", "has_got_on"),
    [
        pytest.param({"done_bytes": 1}, {"done_bytes": 2}, True, id="bytes"),
        pytest.param({"step": 2}, {"step": 3}, True, id="a step"),
        pytest.param({"state": "running"}, {"state": "copied"}, True, id="a state"),
        pytest.param({"elapsed_s": 1.0}, {"elapsed_s": 2.0}, False, id="only the time"),
        pytest.param({"seconds_left": 9.0}, {"seconds_left": 10.0}, False, id="only an estimate"),
    ],
)
def test_progress_is_what_gets_on(
    monkeypatch: pytest.MonkeyPatch,
    first: dict[str, Any],
    second: dict[str, Any],
    *,
    has_got_on: bool,
) -> None:
    now = iter(range(100))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(now)))
    looks = iter([facts.running(id=7, **first), facts.running(id=7, **second)])
    follower = Follower(cast("Any", None), lambda _event: None, run_id=7)
    record = cast("Any", Record(looks))
    follower._look(record)
    before = follower.got_on_at
    follower._look(record)
    assert (follower.got_on_at > before) is has_got_on
