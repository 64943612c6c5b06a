"""A request that takes Pgpool-II long waits until the last change of a node is seconds old."""

import time

import pytest

from pgpool_recovery.control.failover_end import let_failover_end
from tests.unit.cli.facts import info

NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("ages_s", "waited_s"),
    [
        ((3600, 1), 3),
        ((3600, 4), 0),
        ((None, None), 0),
        ((-5, 3600), 0),
    ],
)
def test_wait_for_the_end_of_a_failover(
    monkeypatch: pytest.MonkeyPatch, ages_s: tuple[int | None, ...], waited_s: float
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(time, "sleep", slept.append)
    changes = [None if age_s is None else NOW - age_s for age_s in ages_s]
    let_failover_end([info(1, "up", "standby")._replace(status_changed_at=at) for at in changes])
    assert sum(slept) == pytest.approx(waited_s)
