"""Waiting has a deadline, and its error says what was waited for."""

import pytest

from tests.harness.until import DeadlineError, until


def test_returns_the_first_true_value() -> None:
    values = iter([0, 0, 7])
    assert until(lambda: next(values), within_s=5, what="a number", every_s=0) == 7


def test_says_what_was_waited_for_and_the_last_value() -> None:
    with pytest.raises(DeadlineError, match=r"not within 0 s: bread; last: \[\]"):
        until(list[int], within_s=0, what="bread")


def test_counts_a_tolerated_error_as_not_yet() -> None:
    with pytest.raises(DeadlineError, match="last: KeyError"):
        until(lambda: dict[str, int]()["x"], within_s=0, what="x", tolerating=(KeyError,))


def test_lets_other_errors_out_at_once() -> None:
    with pytest.raises(KeyError):
        until(lambda: dict[str, int]()["x"], within_s=60, what="x")
