"""Protect work that a cancel must not interrupt: the cancel waits until it is done."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

CANCELLING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def shielded() -> Iterator[None]:
    """Hold back the signals that cancel a run."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, CANCELLING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
