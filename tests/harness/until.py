"""Wait for a condition with a deadline, and report what was waited for when it passes."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


class DeadlineError(AssertionError):
    """A condition did not become true before its deadline."""


def until(
    condition: Callable[[], Value | None],
    *,
    within_s: float,
    what: str,
    every_s: float = 0.05,
    tolerating: tuple[type[Exception], ...] = (),
) -> Value:
    """Call `condition` repeatedly until its value is true, and return that value.

    An exception of the kinds in `tolerating` counts as "not yet" (a server that still starts).
    Raises DeadlineError with `what` and the last value or error.

    >>> until(lambda: 3, within_s=1, what="a number")
    3
    """
    deadline = time.monotonic() + within_s
    while True:
        last: object
        try:
            value = condition()
            if value:
                return value
            last = value
        except tolerating as error:
            last = error
        if time.monotonic() >= deadline:
            raise DeadlineError(f"not within {within_s:g} s: {what}; last: {last!r}")
        time.sleep(every_s)
