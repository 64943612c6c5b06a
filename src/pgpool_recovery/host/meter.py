"""Report the progress of a step, at a rate that a person can follow, however often it is counted.

Nothing else makes a Progress event (tests/unit/host/test_meter.py).
"""

import time

from pgpool_recovery.domain.event import Emit, Progress

TOLD_EVERY_S = 1.0


class Meter:
    """Turns a growing count of bytes into Progress events.

    `is_comparison`: the bytes are compared, not moved.
    """

    def __init__(self, emit: Emit, total_bytes: int = 0, *, is_comparison: bool = False) -> None:
        self._emit = emit
        self._total_bytes = total_bytes
        self._is_comparison = is_comparison
        self._began = self._told = time.monotonic()
        self.done_bytes = 0
        """The last count."""

    def add(self, count: int) -> None:
        """Take how many bytes more there are, of the total that was given at the beginning."""
        self.tell(self.done_bytes + count, self._total_bytes)

    def tell(self, done_bytes: int, total_bytes: int = 0) -> None:
        """Take a count, and report it if a second has passed; `total_bytes` 0 means unknown."""
        self.done_bytes = done_bytes
        now = time.monotonic()
        if now - self._told >= TOLD_EVERY_S:
            self._told = now
            rate = done_bytes / (now - self._began)
            self._emit(Progress(done_bytes, total_bytes, rate, is_comparison=self._is_comparison))
