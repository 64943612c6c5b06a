"""When a watched run counts as ended."""

from typing import TYPE_CHECKING, cast

import pytest

from pgpool_recovery.control import watch
from pgpool_recovery.control.record import RecordedRun
from tests.unit.cli import facts

if TYPE_CHECKING:
    from pgpool_recovery.control.follower import Follower


class OnRecord:
    """A follower of a run that stays in one state."""

    def __init__(self, state: str) -> None:
        self.state = state

    def look(self) -> None:
        """Look."""

    def run(self) -> RecordedRun:
        return facts.run(state=self.state)


@pytest.mark.parametrize(
    ("state", "ends_after_s"),
    [("running", None), ("starting", None), ("copied", 120), ("interrupted", 10), ("failed", 0)],
)
def test_end(monkeypatch: pytest.MonkeyPatch, state: str, ends_after_s: int | None) -> None:
    followers = [(7, cast("Follower", OnRecord(state)))]
    since: dict[tuple[int, str], float] = {}

    def is_over(now: float) -> bool:
        monkeypatch.setattr("time.monotonic", lambda: now)
        return bool(watch._ended(followers, since))

    assert is_over(1000) is (ends_after_s == 0)
    if ends_after_s is None:
        assert not is_over(9000)
    elif ends_after_s:
        assert not is_over(999 + ends_after_s)
        assert is_over(1001 + ends_after_s)
