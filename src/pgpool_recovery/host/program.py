"""The one door through which the agent runs other programs."""

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
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.host.system_failure import failure_of_program
from pgpool_recovery.log.note import span

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


@record
class Completed:
    """A program that has ended: exit status (negative: the signal) and its output."""

    argv: tuple[str, ...]
    status: int
    output: str

    @property
    def last_lines(self) -> str:
        """The end of the output, without what it quotes of a configuration file."""
        from pgpool_recovery.host.server_log import without_token  # Of a failure only.

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
    is_enough: Callable[[], bool] | None = None,
) -> Completed:
    """Run a program to its end and return its output, standard error included.

    `leaves_server`: the program starts a server, which must not bear the mark of this recovery.
    `directory`: where it works, if not here. `is_enough` is asked again and again; once it says so
    the program is left to come to its end by itself, and taken for one that has succeeded.
    Raises Cancelled when `stop` is asked, and Undone when it takes longer than `timeout_s` or
    cannot be started; in both cases its process group is gone.
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
            running.came_to("it is left to come to its end")
            return Completed(tuple(argv), 0, "")
        _end(process)
        running.came_to(f"exit status {process.returncode}, {len(output)} characters of output")
    return Completed(tuple(argv), process.returncode, output)


def run_together(
    programs: Sequence[Sequence[str]], stop: Stop, *, timeout_s: float = DEFAULT_TIMEOUT_S
) -> list[Completed]:
    """Run programs at the same time, each to its end; return what came of them, in their order.

    For a few that say little: what one says is read when those before it have ended. Raises as
    `run` does; then all of them are gone.
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
    """Read until the program itself has ended; a daemon that it left may keep the pipe open.

    None: it has not, and there is no need to wait for it.
    """
    began = time.monotonic()
    deadline = None if timeout_s is None else began + timeout_s
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
                    process.wait(tick_s)  # It looks in steps that grow from half a millisecond.
            data = output.read()  # None: nothing yet; no bytes: nothing any more.
            lines.add(data or b"")
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
                selector.unregister(output)  # It would be ready again and again.


@contextmanager
def _watched(process: subprocess.Popen[bytes]) -> Iterator[int | None]:
    """Yield a descriptor that is ready as soon as a program has ended (pidfd_open(2)).

    None where the kernel has no such thing (before Linux 5.3), or does not let us, or Python was
    built without it: then the end is seen soon after that of the output, or one tick later where
    somebody else holds that open.
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
    """Let a program go on; that it has ended is taken note of, or it would stay in the table."""
    output = process.stdout
    assert output is not None  # noqa: S101 - it was asked for

    def drop() -> None:
        with output:
            while output.read(MAX_LINE_BYTES):
                pass
        process.wait()  # no limit: nobody waits for this thread

    os.set_blocking(output.fileno(), True)  # Without anybody who reads, what it says would end it.
    threading.Thread(target=drop, daemon=True).start()


def _end(*processes: subprocess.Popen[bytes]) -> None:
    """End the process groups of programs that still run: ask all of them, then insist.

    One that waits for a disk ends when that answers; see leftover.py.
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
