"""The backend's side of the conversation with its supervisor process."""

import json
import os
import select
import subprocess
import sys

from .outcome import Failure

READ_BYTES = 65536
STOP_DEADLINE_S = 6.0  # Longer than the supervisor takes to send its last SIGKILL.


class SupervisorLost(Exception):
    """The supervisor ended without being asked to."""


class Supervisor:
    """A running supervisor process; it ends by itself when this object's pipes are closed."""

    def __init__(self, source, directory):
        """Start a supervisor.

        `source` is the program's text; it travels through a pipe, so that neither a file has to
        be installed nor a long text stands in the process list.
        """
        program = _pipe_with(source.encode())
        try:
            self._process = subprocess.Popen(
                [find_python(), "-I", "-S", "/dev/fd/%d" % program]
                + ["supervisor of pgpool_recovery for backend %d" % os.getpid()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=directory,
                pass_fds=[program],
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise Failure("could not start a Python interpreter: %s" % error.strerror)
        finally:
            os.close(program)
        self._received = b""

    def is_alive(self):
        """Say whether the process is there."""
        return self._process.poll() is None

    def ask(self, **request):
        """Send a request."""
        data = json.dumps(request).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._process.stdin.fileno(), data) :]
        except BrokenPipeError:
            raise SupervisorLost

    def next_reply(self, timeout_s):
        """Return the next reply, or None when none came in time."""
        while b"\n" not in self._received:
            if not self._wait(timeout_s):
                return None
            data = os.read(self._process.stdout.fileno(), READ_BYTES)
            if not data:
                raise SupervisorLost
            self._received += data
        line, self._received = self._received.split(b"\n", 1)
        return json.loads(line.decode())

    def _wait(self, timeout_s):
        poll = select.poll()
        poll.register(self._process.stdout, select.POLLIN)
        return poll.poll(timeout_s * 1000)

    def close(self):
        """Let the supervisor end, and reap it."""
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _pipe_with(data):
    """Return the reading end of a pipe that holds `data`, which has to fit into one."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(writing, "wb", 0) as file:
        if file.write(data) != len(data):
            raise AssertionError("the supervisor's program does not fit into a pipe")
    return reading


def find_python():
    """Return the path of a Python interpreter.

    The server's process only has the library; where the interpreter stands beside it depends on
    the system (Enterprise Linux 8 has none on PATH).
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
