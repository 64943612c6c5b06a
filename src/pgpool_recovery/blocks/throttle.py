"""Limit the rate at which a source is read."""

import time
from collections.abc import Callable

BURST_S = 0.25
"""How much of what was not used may be made up for."""


class Throttle:
    """Waits after each read until the average is within the limit; None is no limit.

    `wait` waits for some seconds, and raises to end that.
    """

    def __init__(
        self,
        bytes_per_s: int | None,
        wait: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bytes_per_s = bytes_per_s
        self._wait = wait
        self._clock = clock
        self._due = clock()

    def took(self, count: int) -> None:
        """Take note of bytes that were read, and wait until more may be read."""
        if not self._bytes_per_s:
            return
        now = self._clock()
        self._due = max(self._due, now - BURST_S) + count / self._bytes_per_s
        if self._due > now:
            self._wait(self._due - now)
