"""The primary is observed ahead of time; the result is used once, and only for a moment."""

from typing import Any, cast

import pytest

from pgpool_recovery.domain.error import Cancelled, RecoveryError, Unreachable
from pgpool_recovery.observe import primary
from pgpool_recovery.observe.primary import NEW_S, observing_primary


class Looks:
    """Numbered observations of a primary, with a clock of their own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.now, self.takes_s = 0, 100.0, 0.0
        self.failure: RecoveryError | None = None
        monkeypatch.setattr(primary, "observe_primary", lambda *_, **__: self.look())
        monkeypatch.setattr(primary, "time", self)

    def monotonic(self) -> float:
        return self.now

    def look(self) -> Any:
        self.count += 1
        self.now += self.takes_s
        if self.failure is not None:
            raise self.failure
        return self.count

    def begin(self) -> Any:
        return observing_primary(cast("Any", None))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


def test_early_observation_is_used_once(looks: Looks) -> None:
    observe = looks.begin()
    assert [observe(), observe(), observe()] == [1, 2, 3]


def test_old_observation_is_repeated(looks: Looks) -> None:
    """The login on the target's host was rejected for a while."""
    observe = looks.begin()
    looks.now += NEW_S
    assert observe() == 2
    looks.now -= NEW_S
    assert observe() == 3


def test_long_observation_is_not_repeated(looks: Looks) -> None:
    """It examines each file of the primary: a second one would take just as long."""
    looks.takes_s = 2 * NEW_S
    observe = looks.begin()
    assert observe() == 1
    assert looks.count == 1


def test_failure_of_an_early_observation_is_reported_by_the_next_one(looks: Looks) -> None:
    looks.failure = Unreachable("the primary is gone")
    observe = looks.begin()
    with pytest.raises(Unreachable):
        observe()
    looks.failure = None
    assert observe() == 3


def test_cancel_during_an_early_observation_is_raised(looks: Looks) -> None:
    looks.failure = Cancelled("the recovery was cancelled")
    with pytest.raises(Cancelled):
        looks.begin()


def test_last_observation_is_used_again_while_it_is_current(looks: Looks) -> None:
    observe = looks.begin()
    assert observe() == observe.recent() == 1
    assert (observe(), observe.recent()) == (2, 2)
    looks.now += NEW_S
    assert (observe.recent(), observe.recent()) == (3, 3)
