"""Report the progress of a transfer, at a rate that a person can follow."""

import time

from pgpool_recovery.domain.event import Emit, Progress

TOLD_EVERY_S = 1.0


class Meter:
    """Turns a growing count of bytes into Progress events."""

    def __init__(self, emit: Emit, total_bytes: int = 0) -> None:
        self._emit = emit
        self._total_bytes = total_bytes
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
            self._emit(Progress(done_bytes, total_bytes, bytes_per_s=rate))
