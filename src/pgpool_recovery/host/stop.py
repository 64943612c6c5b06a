"""Ask the work on this host to stop, and learn whether it gets on."""

import threading
import time
from collections.abc import Callable

from pgpool_recovery.domain.error import Cancelled

TOLD_EVERY_S = 1.0


class Stop:
    """A request to stop, made by another thread or a signal handler.

    It is known wherever work is done, so the work also notes here that it has made progress:
    `on_progress` is called then, at most once a second. No limit of time ends what gets on.
    """

    def __init__(self, on_progress: Callable[[], None] = lambda: None) -> None:
        self._event = threading.Event()
        self._on_progress = on_progress
        self._got_on = time.monotonic()
        self._told = 0.0

    def ask(self) -> None:
        """Ask the work to stop."""
        self._event.set()

    @property
    def was_asked(self) -> bool:
        """Whether a stop was requested."""
        return self._event.is_set()

    def wait(self, timeout_s: float) -> None:
        """Wait for `timeout_s`; raise Cancelled as soon as a stop is requested."""
        self._event.wait(timeout_s)
        self.check()

    def check(self) -> None:
        """Raise Cancelled when a stop was requested."""
        if self.was_asked:
            raise Cancelled("the recovery was cancelled")

    def got_on(self, _count: int = 0) -> None:
        """Note that the work has made progress: a file was removed, a program has read or written.

        Waiting is none, however often a loop turns.
        """
        self._got_on = time.monotonic()
        if self._got_on - self._told >= TOLD_EVERY_S:
            self._told = self._got_on
            self._on_progress()

    @property
    def idle_s(self) -> float:
        """For how long the work has made no progress, as far as it notes that."""
        return time.monotonic() - self._got_on
