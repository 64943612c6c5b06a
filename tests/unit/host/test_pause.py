"""What tells nothing of itself is looked at often at first, and seldom later."""

import time

import pytest

from pgpool_recovery.host.pause import pause_s


@pytest.mark.parametrize(
    ("waited_s", "expected_s"), [(0.0, 0.01), (0.1, 0.01), (1.0, 0.05), (60.0, 0.1)]
)
def test_pause_grows_with_what_was_waited(
    monkeypatch: pytest.MonkeyPatch, waited_s: float, expected_s: float
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0 + waited_s)
    assert pause_s(1000.0, 0.1) == pytest.approx(expected_s)
