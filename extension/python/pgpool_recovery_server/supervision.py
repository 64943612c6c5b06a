"""Hold the backend's side of the conversation with its supervisor process."""

import os
import select
import sys
import time
from typing import Any, Optional

from server_types import Message

from .message import encode_message, take_message
from .outcome import Failure
from .spawn import spawn, status_of

STANDARD_ERROR = 2  # The server's log.
READ_BYTES = 65536
SUPERVISOR_TAKES_S = 2.5  # Longer than it takes after its last SIGKILL.
REAP_TICK_S = 0.005
SIGKILL = 9  # The module signal takes 5 ms of each new session to import.


class SupervisorLost(Exception):
    """The supervisor ended without a request to do so."""


class Supervisor:
    """A running supervisor process; it ends by itself when this object's pipes are closed."""

    def __init__(self, source: str, directory: str, end_s: float) -> None:
        """Start a supervisor.

        `source` is the program's text. It is passed through a pipe, so no file has to be installed
        and no long text appears in the process list. `end_s` is how long a program has after it
        was told to end.
        """
        self.end_s = end_s
        program = _pipe_with(source.encode())
        requests, self._requests = os.pipe()
        self._replies, replies = os.pipe()
        os.set_inheritable(program, True)
        argv = [find_python(), "-I", "-S", "/dev/fd/%d" % program]
        argv += ["supervisor of pgpool_recovery for backend %d" % os.getpid()]
        try:
            self._pid: Optional[int] = spawn(
                [os.fsencode(word) for word in argv],
                os.environb,
                directory,
                (requests, replies, STANDARD_ERROR),
            )
        except OSError as error:
            self._close_pipes()
            raise Failure("could not start a Python interpreter: %s" % (error.strerror or error))
        finally:
            for descriptor in (program, requests, replies):
                os.close(descriptor)
        self._received = b""

    @property
    def stop_deadline_s(self) -> float:
        """How long it may take to end everything that it has started, in seconds."""
        return self.end_s + SUPERVISOR_TAKES_S

    def is_alive(self) -> bool:
        """Return whether the process is still running."""
        if self._pid is not None and status_of(self._pid) is not None:
            self._pid = None
        return self._pid is not None

    def ask(self, **request: Any) -> None:
        """Send a request."""
        data = encode_message(request)
        try:
            while data:
                data = data[os.write(self._requests, data) :]
        except BrokenPipeError:
            raise SupervisorLost

    def next_reply(self, timeout_s: float) -> Optional[Message]:
        """Return the next reply, or None when none came in time."""
        while True:
            reply, self._received = take_message(self._received)
            if reply is not None:
                return reply
            if not self._wait(timeout_s):
                return None
            data = os.read(self._replies, READ_BYTES)
            if not data:
                raise SupervisorLost
            self._received += data

    def _wait(self, timeout_s: float) -> bool:
        poll = select.poll()
        poll.register(self._replies, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))

    def close(self) -> bool:
        """Let the supervisor end, and reap it; return whether it had to be killed.

        In that case the processes that it has started may still be running.
        """
        self._close_pipes()
        was_killed = False
        deadline = time.monotonic() + self.stop_deadline_s
        while self.is_alive():
            if self._pid is not None and time.monotonic() > deadline:
                os.kill(self._pid, SIGKILL)
                was_killed = True
            time.sleep(REAP_TICK_S)
        return was_killed

    def _close_pipes(self) -> None:
        os.close(self._requests)
        os.close(self._replies)


def _pipe_with(data: bytes) -> int:
    """Return the reading end of a pipe that holds `data`, which must fit into it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(writing, "wb", 0) as file:
        if file.write(data) != len(data):
            raise AssertionError("the supervisor's program does not fit into a pipe")
    return reading


def find_python() -> str:
    """Return the path of a Python interpreter.

    The server's process only has the library. Where the interpreter belonging to it is depends on
    the system (on Enterprise Linux 8, none is on PATH).
    """
    candidates = [
        sys.executable or "",
        "%s/bin/python%d.%d" % ((sys.prefix,) + sys.version_info[:2]),
        sys.prefix + "/bin/python3",
        "/usr/bin/python3",
        "/usr/libexec/platform-python",
    ]
    for path in candidates:
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    raise Failure(
        "no Python interpreter was found",
        detail="Looked for %s." % ", ".join(path for path in candidates if path),
        hint="Install the package python3.",
    )
