"""Tell of bytes that come, at a pace that a person can follow."""

import time

from pgpool_recovery.domain.event import Emit, Progress

TOLD_EVERY_S = 1.0


class Meter:
    """Turns a count that grows into events; `total_bytes` 0: nobody knows how much it will be."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._began = self._told = time.monotonic()
        self.done_bytes = 0
        """The last count."""

    def tell(self, done_bytes: int, total_bytes: int = 0) -> None:
        """Take a count; tell it when it is time to."""
        self.done_bytes = done_bytes
        now = time.monotonic()
        if now - self._told >= TOLD_EVERY_S:
            self._told = now
            rate = done_bytes / (now - self._began)
            self._emit(Progress(done_bytes, total_bytes, bytes_per_s=rate))
