"""Start and end the process through which an agent is reached: ssh, or the agent on this host.

The module has few imports, since a stage starts the agent before it has loaded everything else.
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
    """A process with pipes to its standard input and output; the end of its stderr is kept."""

    def __init__(self, argv: Sequence[str]) -> None:
        """Start the process; raise OSError when there is no such program.

        It has a process group of its own. A SIGINT to the caller's, by which a call is cancelled,
        would end ssh at once, and the agent could not report what it undoes. The process ends when
        its input does.
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
        """Return whether the process has ended."""
        return self._process.poll() is not None

    def status(self, within_s: float) -> int | None:
        """Wait up to `within_s` for the exit status; None when the process still runs."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(within_s)
        return None

    def close_input(self) -> None:
        """Close its input, upon which it ends; a second call does nothing."""
        with suppress(BrokenPipeError):  # The process may be gone already.
            self._stdin.close()

    def end(self, undo_s: float, farewell_s: float = ENDS_WITHIN_S) -> None:
        """Close its input; if it does not end, send SIGTERM, and then SIGKILL.

        It has `farewell_s` to end by itself. After SIGTERM a local agent has `undo_s` for its undo,
        and more as long as it says that it gets on; ssh ends at once. Before that, what it prints
        counts for nothing: a login may print without end.
        """
        self.close_input()
        for end, within_s, is_undo in (
            (None, farewell_s, False),
            (self._process.terminate, undo_s, True),
            # Like a crash of its host, which the next recovery deals with.
            (self._process.kill, ENDS_WITHIN_S, False),
        ):
            if end is not None:
                end()
            if self._ends(within_s, is_renewed=is_undo):
                break
        self._stdout.close()

    def _ends(self, within_s: float, *, is_renewed: bool) -> bool:
        """Wait for the process to end; return whether it did within `within_s`.

        `is_renewed`: that time begins anew with whatever it prints. End of file on its output
        usually wakes us up at once. Its exit is also polled, since a process that outlives it, such
        as a master connection of ssh, may keep that output open.
        """
        deadline, poll = time.monotonic() + within_s, select.poll()
        poll.register(self.output, select.POLLIN)
        while self._process.poll() is None and time.monotonic() < deadline:
            if poll.poll(1000 * TICK_S):
                if not os.read(self.output, READ_BYTES):
                    return self.status(max(0.0, deadline - time.monotonic())) is not None
                if is_renewed:
                    deadline = time.monotonic() + within_s
        return self._process.poll() is not None


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Start threads in this context with all signals blocked, so the main thread receives them.

    The main thread blocks a cancel while it must not be interrupted. A signal that another thread
    received would run the handler in the main thread all the same.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
