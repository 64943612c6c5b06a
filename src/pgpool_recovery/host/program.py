"""The one door through which the agent runs other programs."""

import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pgpool_recovery.domain.error import Cancelled, Undone, reason_of
from pgpool_recovery.files.text import text_of
from pgpool_recovery.host.server_log import without_token
from pgpool_recovery.host.system_failure import failure_of_program

KEPT_LINES = 20
KEPT_BYTES = 1_000_000
MAX_LINE_BYTES = 65_536
"""What is longer without a line break is taken in parts."""
TICK_S = 0.1
TERMINATION_S = 1.0
DEFAULT_TIMEOUT_S = 60.0

KEPT_VARIABLES = ("HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER")
MARK = "PGPOOL_RECOVERY_ID"
"""By which the server finds the processes of a recovery that it ends (extension/python)."""
KEPT_LIBPQ_VARIABLES = ("PGPASSFILE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGSSL", "PGGSS", "PGKRB")


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


@dataclass(frozen=True)
class Completed:
    """A program that has ended: exit status (negative: the signal) and its output."""

    argv: tuple[str, ...]
    status: int
    output: str

    @property
    def last_lines(self) -> str:
        """The end of the output, without what it quotes of a configuration file."""
        return "\n".join(map(without_token, self.output.rstrip().split("\n")[-KEPT_LINES:]))

    def check(self) -> "Completed":
        """Raise Undone when it failed, with its own last lines."""
        if self.status == 0:
            return self
        how = f"exited with status {self.status}"
        if self.status < 0:
            how = f"was terminated by {signal.Signals(-self.status).name}"
        name = os.path.basename(self.argv[0])  # noqa: PTH119 - a word, not a file of ours
        raise failure_of_program(f"{name} {how}", self.output).with_more(
            self.last_lines or "It wrote nothing."
        )


def clean_environment() -> dict[str, str]:
    """Return an environment that leads no program to the wrong server.

    A local agent inherits that of the primary's postmaster, with its PGDATA and PGPORT.
    """
    kept = {
        name: text
        for name, text in os.environ.items()
        if name in KEPT_VARIABLES or name.startswith(KEPT_LIBPQ_VARIABLES)
    }
    return {"PATH": os.defpath, **kept, "LC_ALL": "C"}


def run(
    argv: Sequence[str],
    stop: Stop,
    *,
    timeout_s: float | None = DEFAULT_TIMEOUT_S,
    on_line: Callable[[str], None] | None = None,
    environment: dict[str, str] | None = None,
    leaves_server: bool = False,
    directory: str | None = None,
) -> Completed:
    """Run a program to its end and return its output, standard error included.

    `leaves_server`: the program starts a server, which must not bear the mark of this recovery.
    `directory`: where it works, if not here.
    Raises Cancelled when `stop` is asked, and Undone when it takes longer than `timeout_s` or
    cannot be started; in both cases its process group is gone.
    """
    mark = {} if leaves_server or MARK not in os.environ else {MARK: os.environ[MARK]}
    process = _start(argv, {**clean_environment(), **mark, **(environment or {})}, directory)
    try:
        output = _collect(process, argv[0], stop, timeout_s, on_line)
    finally:
        _end(process)
    return Completed(tuple(argv), process.returncode, output)


def _start(
    argv: Sequence[str], environment: dict[str, str], directory: str | None
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=directory,
            start_new_session=True,
        )
    except OSError as error:
        raise Undone(f"could not execute {argv[0]}: {reason_of(error)}") from error


def _collect(
    process: subprocess.Popen[bytes],
    name: str,
    stop: Stop,
    timeout_s: float | None,
    on_line: Callable[[str], None] | None,
) -> str:
    """Read until the program itself has ended; a daemon that it left may keep the pipe open."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    lines = _Lines(on_line)
    assert process.stdout is not None  # noqa: S101 - it was asked for
    os.set_blocking(process.stdout.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            has_ended = process.poll() is not None
            selector.select(0 if has_ended else TICK_S)
            data = process.stdout.read() or b""
            lines.add(data)
            if has_ended and not data:
                return lines.text()
            stop.check()
            if deadline is not None and time.monotonic() > deadline:
                raise Undone(
                    f"{name} did not end within {timeout_s:g} s",
                    detail=lines.text() or None,
                )
            if not data and not has_ended:
                time.sleep(TICK_S / 10)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process group of a program that still runs: ask, then insist."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(TERMINATION_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            # One that waits for a disk ends when that answers; see leftover.py.
            with suppress(subprocess.TimeoutExpired):
                process.wait(TERMINATION_S)
    if process.stdout is not None:
        process.stdout.close()


class _Lines:
    """The last lines of an output, told one by one."""

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self._on_line = on_line
        self._rest = b""
        self._kept: deque[str] = deque()
        self._size = 0

    def add(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._rest) > MAX_LINE_BYTES:
            self._take(self._rest)
            self._rest = b""

    def _take(self, line: bytes) -> None:
        text = text_of(line)
        self._kept.append(text)
        self._size += len(text)
        while self._size > KEPT_BYTES:
            self._size -= len(self._kept.popleft())
        if self._on_line is not None and text:
            self._on_line(text)

    def text(self) -> str:
        if self._rest:
            self._take(self._rest)
            self._rest = b""
        return "\n".join(self._kept)
