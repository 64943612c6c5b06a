"""The test process's side of a keeper: start commands on a machine, wait for them, signal them.

Output goes to anonymous files in memory, not to pipes, because a daemon that a command leaves
behind may keep its standard output open forever. Exits are observed through pidfds, so a reused
process id is never waited for or signalled by mistake.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

_PROGRAM = Path(__file__).with_name("keeper_program.py")
_ANSWER_LIMIT_BYTES = 1 << 16
_ANSWER_WITHIN_S = 30.0


class MachineGoneError(Exception):
    """The keeper of a machine, and with it everything on the machine, has ended."""


class StartError(Exception):
    """A program could not be started on a machine."""


@dataclass(frozen=True)
class Command:
    """What to start: the argument vector, and as whom, where and in which environment."""

    argv: Sequence[str]
    user: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/"


class Child:
    """A process that was started on a machine."""

    def __init__(self, keeper: "Keeper", command: Command, pid_inside: int, pidfd: int) -> None:
        self._pidfd = pidfd
        self._keeper = keeper
        self.command = command
        self.pid_inside = pid_inside  # in the machine's own PID namespace
        self.pid = _pid_behind(pidfd)  # as this process sees it
        self._returncode: int | None = None

    def __repr__(self) -> str:
        return f"<Child {self.pid}: {' '.join(self.command.argv)}>"

    def __del__(self) -> None:
        os.close(self._pidfd)

    @property
    def is_alive(self) -> bool:
        return not self._ended_within(0)

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal as in `subprocess`; None while it runs."""
        if self._returncode is None and not self.is_alive:
            self._returncode = self._keeper.returncode(self.pid_inside)
        return self._returncode

    def wait(self, timeout_s: float) -> int | None:
        """Wait for the end; return the exit status, or None if the process still runs by then."""
        self._ended_within(timeout_s)
        return self.returncode

    def terminate(self) -> None:
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def kill_group(self) -> None:
        """Kill the process with what it started, except for daemons with a session of their own."""
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def _ended_within(self, timeout_s: float) -> bool:
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))


class Keeper:
    """Starts and holds all processes of one machine; `close` ends them all, and so does our end."""

    def __init__(self, launcher: subprocess.Popen[bytes], channel: socket.socket) -> None:
        self._launcher = launcher
        self._channel = channel
        self._lock = threading.Lock()
        _, pidfd = self._receive()
        self.pid = _pid_behind(pidfd)
        os.close(pidfd)

    @classmethod
    def start(cls, *, wrapper: Sequence[str] = (), hold: int | None = None) -> Self:
        """Start a keeper through `wrapper`, for example `unshare` with its options.

        The keeper and the wrapper inherit the descriptor `hold` and keep it open for as long as
        any process of the machine may still run; those processes do not inherit it.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        descriptors = [theirs.fileno()] + ([] if hold is None else [hold])
        program = [sys.executable, "-I", "-S", str(_PROGRAM), str(theirs.fileno())]
        ours.settimeout(_ANSWER_WITHIN_S)
        with theirs, tempfile.TemporaryFile() as complaints:
            launcher = subprocess.Popen(
                [*wrapper, *program],
                stdin=subprocess.DEVNULL,
                stdout=complaints,
                stderr=complaints,
                pass_fds=descriptors,
                start_new_session=True,  # Ctrl-C is for the test process
            )
            theirs.close()
            try:
                return cls(launcher, ours)
            except (MachineGoneError, TimeoutError) as error:
                ours.close()
                _end(launcher, within_s=0)
                complaints.seek(0)
                said = complaints.read().decode(errors="replace").strip()
                raise StartError(f"could not start a keeper: {said}") from error

    def start_child(self, command: Command, *, descriptors: tuple[int, int, int]) -> Child:
        """Start a command with these as its standard input, output and error."""
        request = {
            "argv": list(command.argv),
            "user": command.user,
            "env": dict(command.env),
            "cwd": command.cwd,
        }
        with self._lock:
            self._send({"start": request}, descriptors)
            answer, pidfd = self._receive()
        if "error" in answer:
            raise StartError(f"could not start {' '.join(command.argv)}: {answer['error']}")
        return Child(self, command, int(answer["pid"]), pidfd)

    def returncode(self, pid_inside: int) -> int | None:
        with self._lock:
            self._send({"returncode": pid_inside}, ())
            answer, _ = self._receive()
        status = answer["returncode"]
        return None if status is None else int(status)

    def close(self, *, within_s: float = 20.0) -> None:
        """End everything that runs on the machine, and wait until it has ended."""
        with self._lock:
            self._channel.close()
        _end(self._launcher, within_s=within_s)

    def _send(self, request: dict[str, Any], descriptors: Sequence[int]) -> None:
        try:
            socket.send_fds(self._channel, [json.dumps(request).encode()], list(descriptors))
        except OSError as error:
            raise MachineGoneError(f"could not reach keeper {self.pid}: {error}") from error

    def _receive(self) -> tuple[dict[str, Any], int]:
        """Return an answer and the pidfd that came with it, or -1."""
        packet, pidfds, _, _ = socket.recv_fds(
            self._channel, _ANSWER_LIMIT_BYTES, 1, socket.MSG_CMSG_CLOEXEC
        )
        if not packet:
            raise MachineGoneError("the keeper of the machine has ended")
        answer: dict[str, Any] = json.loads(packet)
        return answer, pidfds[0] if pidfds else -1


def _end(launcher: subprocess.Popen[bytes], *, within_s: float) -> None:
    """Wait for the end of the keeper, and kill it when it takes too long."""
    try:
        launcher.wait(within_s)
    except subprocess.TimeoutExpired:
        launcher.kill()  # `unshare --kill-child` takes the namespace's first process along
        launcher.wait(within_s + 10)


def _pid_behind(pidfd: int) -> int:
    """Return the process id in our own PID namespace; see "fdinfo" in pidfd_open(2)."""
    lines = Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("Pid:")))
