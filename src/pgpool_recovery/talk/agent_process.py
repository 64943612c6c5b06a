"""The process by which an agent is reached: ssh, or on this host the agent itself.

It has few imports: it is begun before everything else of a stage is there.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from pgpool_recovery.log.note import note
from pgpool_recovery.talk.error_tail import ErrorTail

ENDS_WITHIN_S = 2.5
TICK_S = 0.05
READ_BYTES = 65536


class AgentProcess:
    """A process with pipes to its standard input and output; the end of its errors is kept."""

    def __init__(self, argv: Sequence[str]) -> None:
        """Start it; raises OSError when there is no such program.

        A SIGINT for the caller's process group, which is how a call is cancelled, does not reach
        it: ssh would end at once, and nobody hear what the agent takes back. It ends when its input
        does.
        """
        self.argv = tuple(argv)
        note("starts an agent: {}", self.argv)
        self.began = time.monotonic()
        self.errors = ErrorTail()
        try:
            self._process = subprocess.Popen(
                self.argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors.fileno(),
                process_group=0,
            )
        finally:
            with signals_blocked():
                self.errors.follow()
        assert self._process.stdin is not None  # noqa: S101 - both were asked for
        assert self._process.stdout is not None  # noqa: S101
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self.input, self.output = self._stdin.fileno(), self._stdout.fileno()
        os.set_blocking(self.input, False)

    def has_ended(self) -> bool:
        """Say whether the process is gone."""
        return self._process.poll() is not None

    def status(self, within_s: float) -> int | None:
        """Return its exit status, None when it goes on for longer than `within_s`."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(within_s)
        return None

    def close_input(self) -> None:
        """Let it see the end of its input, for which it ends; a second call does nothing."""
        with suppress(BrokenPipeError):  # It may be gone already.
            self._stdin.close()

    def end(self, undo_s: float, farewell_s: float = ENDS_WITHIN_S) -> None:
        """Have it end by the end of its input, and then with growing force.

        `farewell_s`: how long it has for the first. `undo_s`: how long a local agent has that takes
        back what it did.
        """
        self.close_input()
        for end, within_s in (
            (None, farewell_s),
            (self._process.terminate, undo_s),
            (self._process.kill, ENDS_WITHIN_S),  # As a crash of its host; the next recovery knows.
        ):
            if end is not None:
                end()
            if self._ends(within_s):
                break
        self._stdout.close()

    def _ends(self, within_s: float) -> bool:
        """Wait for its end; say whether it came in time.

        The end of its output comes with it and wakes us up at once. Where something that outlives
        it, as a master connection of ssh, keeps that open, we look every so often.
        """
        deadline, poll = time.monotonic() + within_s, select.poll()
        poll.register(self.output, select.POLLIN)
        while self._process.poll() is None and time.monotonic() < deadline:
            if poll.poll(1000 * TICK_S) and not os.read(self.output, READ_BYTES):
                return self.status(max(0.0, deadline - time.monotonic())) is not None
        return self._process.poll() is not None


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Let a thread that is started here leave all signals to the main thread.

    That one holds a cancel back while it must not be interrupted; one that reached another thread
    would have the handler run in the main thread all the same.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
