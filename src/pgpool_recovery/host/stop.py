"""Ask the work on this host to stop."""

import threading

from pgpool_recovery.domain.error import Cancelled


class Stop:
    """A request to stop, made by another thread or a signal handler."""

    def __init__(self) -> None:
        self._event = threading.Event()

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
