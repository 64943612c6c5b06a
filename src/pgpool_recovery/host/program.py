"""Run other programs; the agent starts all of them here."""

import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from pgpool_recovery.domain.error import Undone, reason_of
from pgpool_recovery.domain.pause import pause_s
from pgpool_recovery.domain.record import record
from pgpool_recovery.files.text import text_of
from pgpool_recovery.host.activity import Activity
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.host.system_failure import failure_of_program
from pgpool_recovery.log.note import span

KEPT_LINES = 20
KEPT_BYTES = 1_000_000
MAX_LINE_BYTES = 65_536
"""A longer line is split."""
READ_BYTES = 65_536
"""Of a program that writes as fast as it is read, all would be taken at once otherwise."""
TICK_S = 0.1
TERMINATION_S = 1.0
DEFAULT_TIMEOUT_S = 60.0

KEPT_VARIABLES = ("HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER")
MARK = "PGPOOL_RECOVERY_ID"
"""The environment variable by which the extension (extension/python) finds the processes of a
recovery that it ends."""
KEPT_LIBPQ_VARIABLES = ("PGPASSFILE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGSSL", "PGGSS", "PGKRB")


@record
class Completed:
    """A program that has ended: its exit status, or a signal as a negative one, and its output."""

    argv: tuple[str, ...]
    status: int
    output: str

    @property
    def last_lines(self) -> str:
        """The end of the output, without quotations from configuration files."""
        from pgpool_recovery.host.server_log import without_token  # Needed for failures only.

        return "\n".join(map(without_token, self.output.rstrip().split("\n")[-KEPT_LINES:]))

    def check(self) -> "Completed":
        """Return it if it succeeded; else raise Undone or NoRoom with its last lines."""
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
    """Return an environment that does not point any program at the wrong server.

    A local agent inherits the environment of the primary's postmaster, with its PGDATA and PGPORT.
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
    is_enough: Callable[[], bool] | None = None,
) -> Completed:
    """Run a program to its end and return its output, including standard error.

    With `leaves_server` the program starts a server, which must not bear the mark of this recovery.
    `directory` is its working directory, if it is not ours. `is_enough` is called repeatedly; once
    it returns true, the program is left to end by itself and counts as successful. Raises Cancelled
    when `stop` was asked, and Undone when the program takes longer than `timeout_s` or cannot be
    started; in all cases its process group is gone.
    """
    mark = {} if leaves_server or MARK not in os.environ else {MARK: os.environ[MARK]}
    with span("runs {}", argv) as running:
        process = _start(argv, {**clean_environment(), **mark, **(environment or {})}, directory)
        try:
            output = _collect(process, argv[0], stop, timeout_s, on_line, is_enough)
        except BaseException:
            _end(process)
            raise
        if output is None:
            _leave(process)
            running.came_to("it is left to end by itself")
            return Completed(tuple(argv), 0, "")
        _end(process)
        running.came_to(f"exit status {process.returncode}, {len(output)} characters of output")
    return Completed(tuple(argv), process.returncode, output)


def run_together(
    programs: Sequence[Sequence[str]], stop: Stop, *, timeout_s: float = DEFAULT_TIMEOUT_S
) -> list[Completed]:
    """Run programs in parallel, each to its end; return their results in the same order.

    This is for a few programs with little output: the output of one is read only after those before
    it have ended. Raises what `run` raises; then all of them are gone.
    """
    mark = {MARK: os.environ[MARK]} if MARK in os.environ else {}
    environment, completed = {**clean_environment(), **mark}, list[Completed]()
    processes = list[subprocess.Popen[bytes]]()
    with span("runs {} together", programs):
        try:
            for argv in programs:
                processes.append(_start(argv, environment, None))
            for argv, process in zip(programs, processes, strict=True):
                output = _collect(process, argv[0], stop, timeout_s, None, None)
                completed.append(Completed(tuple(argv), process.returncode, output or ""))
        finally:
            _end(*processes)
    return completed


def _start(
    argv: Sequence[str], environment: dict[str, str], directory: str | None
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            bufsize=0,  # Nothing is kept where `select` does not see it.
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
    is_enough: Callable[[], bool] | None,
) -> str | None:
    """Return the output of a program that has ended; None if `is_enough` was true before that.

    The end of the program counts, not of its output: a daemon that it started may keep the pipe
    open.
    """
    began = time.monotonic()
    deadline = None if timeout_s is None else began + timeout_s
    activity = Activity(process.pid) if timeout_s is None else None
    lines = _Lines(on_line)
    output = process.stdout
    assert output is not None  # noqa: S101 - it was asked for
    os.set_blocking(output.fileno(), False)
    with selectors.DefaultSelector() as selector, _watched(process) as end:
        selector.register(output, selectors.EVENT_READ)
        if end is not None:
            selector.register(end, selectors.EVENT_READ)
        while True:
            has_ended = process.poll() is not None
            tick_s = TICK_S if is_enough is None else pause_s(time.monotonic() - began, TICK_S)
            if selector.get_map() or has_ended:
                selector.select(0 if has_ended else tick_s)
            else:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(tick_s)  # It polls at intervals that grow from half a millisecond.
            data = output.read(READ_BYTES)  # None means nothing yet, empty means end of file.
            lines.add(data or b"")
            if activity is not None and (data or activity.is_seen()):
                stop.got_on()
            if has_ended and not data:
                return lines.text()
            stop.check()
            if is_enough is not None and not has_ended and is_enough():
                return None
            if deadline is not None and time.monotonic() > deadline:
                raise Undone(
                    f"{name} did not end within {timeout_s:g} s",
                    detail=lines.text() or None,
                )
            if data == b"" and output in selector.get_map():
                selector.unregister(output)  # At end of file it would always be ready.


@contextmanager
def _watched(process: subprocess.Popen[bytes]) -> Iterator[int | None]:
    """Yield a descriptor that is ready as soon as a program has ended (pidfd_open(2)).

    None if the kernel lacks it (before Linux 5.3) or forbids it, or Python was built without it.
    Then the end is noticed soon after the end of the output, or, if another process keeps that
    open, one tick later.
    """
    try:
        descriptor = os.pidfd_open(process.pid)
    except (OSError, AttributeError):  # Not every build of Python has it.
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _leave(process: subprocess.Popen[bytes]) -> None:
    """Let a program go on, and reap it when it has ended, so that it does not stay a zombie."""
    output = process.stdout
    assert output is not None  # noqa: S101 - it was asked for

    def drop() -> None:
        with output:
            while output.read(MAX_LINE_BYTES):
                pass
        process.wait()  # no limit: no one waits for this thread

    os.set_blocking(output.fileno(), True)  # If its output were not read, it could not go on.
    threading.Thread(target=drop, daemon=True).start()


def _end(*processes: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM, then SIGKILL, to the process groups of programs that still run.

    A program that waits for a disk ends only when the disk responds; see leftover_process.py.
    """
    for how in (signal.SIGTERM, signal.SIGKILL):
        running = [process for process in processes if process.poll() is None]
        for process in running:
            os.killpg(process.pid, how)
        deadline = time.monotonic() + TERMINATION_S
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0))
    for process in processes:
        if process.stdout is not None:
            process.stdout.close()


class _Lines:
    """Splits an output into lines, passes each on, and keeps the last ones."""

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
