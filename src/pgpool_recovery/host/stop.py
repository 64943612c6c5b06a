"""The wish that work on this host ends."""

import threading

from pgpool_recovery.domain.error import Cancelled


class Stop:
    """The wish to end, set from another thread or a signal handler."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ask(self) -> None:
        """Ask whatever runs to stop."""
        self._event.set()

    @property
    def was_asked(self) -> bool:
        """Whether somebody asked."""
        return self._event.is_set()

    def wait(self, timeout_s: float) -> None:
        """Wait a moment, or until somebody asks; then raise Cancelled."""
        self._event.wait(timeout_s)
        self.check()

    def check(self) -> None:
        """Raise Cancelled when somebody asked."""
        if self.was_asked:
            raise Cancelled("the recovery was cancelled")
