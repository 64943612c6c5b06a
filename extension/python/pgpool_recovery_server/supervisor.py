"""Run one program at a time for a PostgreSQL backend, and leave none of its processes behind.

It is a separate process because a backend that is terminated or killed cannot clean up. When the
backend's end of the request pipe closes, for whatever reason, everything that it started is ended.

Requests come as messages on standard input, replies go to standard output, and standard error is
the server log. A request is one of the following (words, names and the mark are bytes):

* ``{"run": [program, word...], "environment": {...}, "directory": "...", "mark": "NAME=value",
  "record": "...", "identity": (device, inode), "end_s": 3.5}``: run a program. A line that begins
  with ``record`` does not go to the log, unless ``log`` follows, in which case it goes only there.
  With an ``identity`` the program must be that file. It is killed ``end_s`` seconds after it was
  told to stop.
* ``{"stop": True}`` while a program runs
* ``{"end": "NAME=value", "end_s": 3.5}``: end the processes that a lost supervisor left behind
* ``{"leave": [...], "environment": {...}, "directory": "...", "after_s": 0.5, "output": "log"}``:
  start a program that outlives the backend (``output`` is ``log`` or ``nowhere``)

``run`` is answered with ``{"started": pid}``, any number of ``{"lines": [...]}`` and
``{"block": "..."}`` (many lines of harmless text), and ``{"ended": status}`` (negative: the
signal), or with ``{"error": "..."}`` when the program could not be started. ``leave`` is answered
with ``started``, and ``end`` with ``ended``.
"""

import errno
import os
import select
import signal
import time
from typing import Any, Callable, Iterable, Iterator, List, NoReturn, Optional, Tuple

from pgpool_recovery.in_server.masked_text import COLONS, masked, may_have_password

from server_types import Message

from .bug_report import places_of
from .message import encode_message, take_message
from .process_tree import find_processes
from .shown_text import shown_bytes
from .spawn import EXCHANGED, spawn, status_of

REQUESTS, REPLIES, SERVER_LOG = 0, 1, 2

# What is sent to the script's processes until none is left: SIGINT at once, then SIGTERM, and
# finally SIGKILL. SIGINT goes to the process group, as PostgreSQL's own cancel does; a background
# process of a shell ignores it.
SIGTERM_BEFORE_SIGKILL_S = 2.5
LEFT_BEHIND_S = 3.5
SIGKILL_WORKS_WITHIN_S = 1.3
STOPPING_TICK_S = 0.05

# The output of a script that writes this many lines in a second is read in gulps, so that both ends
# of the conversation can keep up: each wakes the other up less often.
FLOOD_LINES = 200
BLOCK_LINES = 50
RECORD_SEPARATOR = b"\x1e"
ONLY_LOGGED = b"log "  # After the record: how our stage commands mark their own log.
FLOOD_WINDOW_S = 1.0
GULP_S = 0.005
GULP_BYTES = 16384

READ_BYTES = 65536  # As much as a pipe holds (pipe(7)).
MAX_LINE_BYTES = 8192
MAX_RECORD_BYTES = 1048576
PIPE_BUF = 4096  # A write of up to this many bytes is atomic (pipe(7)).


class Lines:
    """Cut bytes that arrive in pieces into lines of a limited length.

    A line that begins with `record` is not text but meant for the caller, and may be longer.
    """

    def __init__(self, record: Optional[bytes] = None) -> None:
        self._rest = b""
        self._record = record

    def add(self, data: bytes) -> List[bytes]:
        """Return the lines that `data` completes; a carriage return ends a line as well."""
        pieces = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        self._rest = pieces.pop()
        lines = [piece for piece in pieces if piece]
        is_record = self._record is not None and self._rest.startswith(self._record)
        if len(self._rest) > (MAX_RECORD_BYTES if is_record else MAX_LINE_BYTES):
            lines.append(self.take_rest())
        return lines

    def take_rest(self) -> bytes:
        """Return what came after the last line ending."""
        rest, self._rest = self._rest, b""
        return rest


class Backend:
    """The conversation with the backend that started this process."""

    def __init__(self) -> None:
        self.is_gone = False
        self._received = b""
        self._wakeup, wakeup_write = os.pipe()
        for descriptor in (self._wakeup, wakeup_write):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wakeup_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._give_up)

    def _give_up(self, *_: object) -> None:
        self.is_gone = True

    def wait(self, descriptor: Optional[int] = None) -> bool:
        """Wait for a request, for a signal, or until `descriptor` is readable.

        Returns whether the descriptor is readable.
        """
        poll = select.poll()
        for watched in (REQUESTS, self._wakeup, descriptor):
            if watched is not None:
                poll.register(watched, select.POLLIN)
        ready = [number for number, _ in poll.poll()]
        if self._wakeup in ready:
            os.read(self._wakeup, 512)
        if REQUESTS in ready:
            self._receive()
        return descriptor in ready

    def _receive(self) -> None:
        data = os.read(REQUESTS, READ_BYTES)
        self._received += data
        self.is_gone = self.is_gone or not data

    def take_request(self) -> Optional[Message]:
        """Return the next request that has arrived, or None."""
        request, self._received = take_message(self._received)
        return request

    def reply(self, **message: Any) -> None:
        """Send a reply, waiting for a slow backend; that one is gone is noted and is no error."""
        data = encode_message(message)
        while data and not self.is_gone:
            try:
                data = data[os.write(REPLIES, data) :]
            except BrokenPipeError:
                self.is_gone = True


class Run:
    """One run of a program, from its start until it has ended or was stopped."""

    def __init__(self, backend: Backend, request: Message) -> None:
        self._backend = backend
        self._mark = request["mark"]
        self._record = request["record"]
        self._end_s = request["end_s"]
        self._lines = Lines(self._record)
        self._flood = Flood()
        output, output_write = os.pipe()
        self._output: Optional[int] = output
        try:
            self._pid = start(request["run"], request, output_write)
        except OSError:
            os.close(output)
            raise
        finally:
            os.close(output_write)
        os.set_blocking(output, False)

    def to_its_end(self) -> None:
        """Relay the output; stop the program when the backend requests it or is gone."""
        self._backend.reply(started=self._pid)
        status = status_of(self._pid)
        while status is None:
            if self._backend.wait(self._output):
                self._flood.pause()
                self._relay_output()
            if self._backend.is_gone or self._backend.take_request() is not None:
                end_processes(self._mark, self._pid, self._end_s, between=self._relay_output)
                status = status_of(self._pid)
                break
            status = status_of(self._pid)
        self._hand_over_output()
        self._backend.reply(ended=status)

    def _relay_output(self) -> bool:
        """Pass on what is there, once: a program that floods us must not prevent its stop."""
        if self._output is None:
            return False
        try:
            data = os.read(self._output, READ_BYTES)
        except BlockingIOError:
            return False
        self._flood.last_bytes = len(data)
        self._relay_lines(self._lines.add(data))
        if not data:
            self._close_output()
        return bool(data)

    def _relay_lines(self, lines: List[bytes]) -> None:
        if not lines:
            return
        self._flood.count(len(lines))
        if len(lines) > BLOCK_LINES and max(map(len, lines)) < PIPE_BUF:
            block = b"\n".join(lines)
            if is_plain(block, lines):
                for piece in pieces_of(block):
                    _write_piece(piece + b"\n")
                self._backend.reply(block=block.decode())
                return
        own = self._record + ONLY_LOGGED
        logged, told = [], []
        for line in lines:
            if line.startswith(own):
                logged.append(masked(line[len(own) :]))
            elif line.startswith(self._record):
                told.append(line)
            else:
                logged.append(masked(line))
                told.append(logged[-1])
        write_to_log(logged)
        if told:
            replied = [line.decode("utf-8", "backslashreplace") for line in told]
            self._backend.reply(lines=replied)

    def _hand_over_output(self) -> None:
        """Let processes that the program left running go on writing, into the server's log.

        A start script that calls pg_ctl without -l leaves a server that writes to our pipe. Closing
        the pipe would end that server by SIGPIPE, and waiting for it would never end.
        """
        for _ in range(3):  # More than a pipe holds: everything the program itself wrote.
            if not self._relay_output():
                break
        if self._output is None:
            return
        if os.fork() == 0:
            copy_to_log(self._output)
        self._close_output()

    def _close_output(self) -> None:
        if self._output is not None:
            os.close(self._output)
        self._output = None
        rest = self._lines.take_rest()
        if rest:
            self._relay_lines([rest])


def is_plain(block: bytes, lines: List[bytes]) -> bool:
    """Return whether no line is a record, contains a password or must be shown otherwise."""
    if RECORD_SEPARATOR in block or may_have_password(block):
        return False
    if b":" in block and any(line.count(b":") >= COLONS for line in lines):
        return False
    try:
        return block.decode().replace("\n", "").replace("\t", "").isprintable()
    except UnicodeDecodeError:
        return False


def pieces_of(block: bytes) -> Iterator[bytes]:
    """Yield many lines in pieces that are written at once, cut at line endings.

    >>> [len(piece) for piece in pieces_of(b"\\n".join([b"x" * 99] * 100))]
    [3999, 3999, 1999]
    """
    at = 0
    while at < len(block):
        end = len(block)
        if end - at >= PIPE_BUF:
            found = block.rfind(b"\n", at, at + PIPE_BUF - 1)
            end = at + PIPE_BUF - 1 if found < at else found
        yield block[at:end]
        at = end + 1 if block[end : end + 1] == b"\n" else end


class Flood:
    """How many lines came recently, and the pause to make when there were many."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._lines = 0
        self.last_bytes = 0

    def count(self, lines: int) -> None:
        """Count lines that came just now."""
        now = time.monotonic()
        if now - self._since > FLOOD_WINDOW_S:
            self._since, self._lines = now, 0
        self._lines += lines

    def pause(self) -> None:
        """Wait for more of them if they come fast but few at a time."""
        if self.last_bytes > GULP_BYTES:
            return
        if self._lines > FLOOD_LINES and time.monotonic() - self._since <= FLOOD_WINDOW_S:
            time.sleep(GULP_S)


def start(argv: List[bytes], request: Message, output: Optional[int]) -> int:
    """Start a program, its output going to a descriptor or (None) nowhere; return its process id.

    A script without ``#!`` runs in sh: that is what execvp(3) does, and what the stock extension's
    system(3) amounted to.
    """
    environment, directory = request["environment"], request["directory"]
    nothing = os.open(os.devnull, os.O_RDWR)
    output = nothing if output is None else output

    def before() -> None:
        heed_signals()
        check_identity(argv[0], request.get("identity"))

    rest = (environment, directory, (nothing, output, output), before)
    try:
        return spawn(argv, *rest)
    except OSError as error:
        if error.errno == errno.ESTALE:
            raise OSError(errno.ESTALE, EXCHANGED)
        if error.errno != errno.ENOEXEC:
            raise
        return spawn([b"/bin/sh"] + argv, *rest)
    finally:
        os.close(nothing)


def check_identity(path: bytes, identity: Optional[Tuple[int, int]]) -> None:
    """Raise OSError when a path no longer leads to the file that was checked."""
    if identity is not None:
        status = os.stat(path)
        if (status.st_dev, status.st_ino) != tuple(identity):
            raise OSError(errno.ESTALE, EXCHANGED)


def heed_signals() -> None:
    """Reset what Python ignores for itself: a script must end when its output is not read.

    SIGURG, which a backend blocks, is unblocked as well.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)


def leave(request: Message) -> int:
    """Start a program that is not waited for; return the id of the process that starts it.

    That process waits a moment, so the call that requested it is answered before its server stops.
    """
    pid = os.fork()
    if pid == 0:
        try:
            time.sleep(request["after_s"])
            output = SERVER_LOG if request["output"] == "log" else None
            start(request["leave"], request, output)
        except OSError as error:
            why = b"could not execute %s: %s" % (request["leave"][0], str(error).encode())
            write_to_log([why])
        finally:
            os._exit(0)
    return pid


def stopping_times(end_s: float) -> Tuple[float, float]:
    """Return when SIGTERM and when SIGKILL is sent; a trap of the script has until the first.

    >>> stopping_times(3.5), stopping_times(30)
    ((1.0, 3.5), (27.5, 30))
    """
    return max(end_s - SIGTERM_BEFORE_SIGKILL_S, end_s / 3.5), end_s


def end_processes(
    mark: bytes, session: Optional[int], end_s: float, between: Callable[[], object]
) -> None:
    """Signal the processes of a script with increasing force until none is left or time is up.

    The time is the script's own: processes that it leaves behind when it has ended get
    LEFT_BEHIND_S at most. Calls `between` between two checks.
    """
    began = time.monotonic()
    term_s, kill_s = stopping_times(end_s)
    sent = None
    while True:
        elapsed_s = time.monotonic() - began
        processes = find_processes(mark, session)
        if not processes or elapsed_s > kill_s + SIGKILL_WORKS_WITHIN_S:
            return
        if session is not None and session not in processes and kill_s > elapsed_s + LEFT_BEHIND_S:
            term_s, kill_s = (elapsed_s + at for at in stopping_times(LEFT_BEHIND_S))
        number = signal.SIGINT if elapsed_s < term_s else signal.SIGTERM
        number = number if elapsed_s < kill_s else signal.SIGKILL
        if number != sent or number == signal.SIGKILL:
            _send(number, processes, session)
            sent = number
        time.sleep(STOPPING_TICK_S)
        between()


def _send(number: int, processes: Iterable[int], session: Optional[int]) -> None:
    if number == signal.SIGINT and session is not None:
        _send_to(os.killpg, session, number)
    else:
        for pid in processes:
            _send_to(os.kill, pid, number)


def _send_to(send: Callable[[int, int], None], pid: int, number: int) -> None:
    try:
        send(pid, number)
    except (ProcessLookupError, PermissionError):
        pass  # It has ended, or runs as another user (sudo) and is not ours to end.


def copy_to_log(output: int) -> NoReturn:
    """Copy everything that comes to the server's log, then exit; runs in a forked process."""
    os.setsid()
    os.dup2(output, REQUESTS)
    os.dup2(SERVER_LOG, REPLIES)
    close_descriptors()
    os.set_blocking(REQUESTS, True)
    lines = Lines()
    while True:
        data = os.read(REQUESTS, PIPE_BUF)
        there = lines.add(data) if data else [lines.take_rest()]
        write_to_log([masked(line) for line in there if line])
        if not data:
            os._exit(0)


def write_to_log(lines: Iterable[bytes]) -> None:
    """Write lines to the server's standard error, in pieces that no other line can break up.

    Characters that control a terminal, or begin another line there, are escaped, and so are zero
    bytes, which begin a chunk of the logging collector's protocol. A piece has all lines that fit.
    """
    piece = b""
    for line in lines:
        shown = shown_bytes(line) + b"\n"
        if len(piece) + len(shown) > PIPE_BUF:
            _write_piece(piece)
            piece = b""
        piece += shown
    _write_piece(piece)


def _write_piece(data: bytes) -> None:
    while data:
        data = data[os.write(SERVER_LOG, data[:PIPE_BUF]) :]


def close_descriptors() -> None:
    """Close everything but standard input, output and error."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > SERVER_LOG:
            _close_if_open(int(name))


def _close_if_open(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        pass  # The one that listed the directory.


def serve(backend: Backend) -> None:
    """Answer requests until the backend is gone."""
    while not backend.is_gone:
        backend.wait()
        request = backend.take_request()
        if request is not None:
            answer(backend, request)


def answer(backend: Backend, request: Message) -> None:
    """Do what one request asks for; ``stop`` for a program that has ended is ignored."""
    if "run" in request:
        try:
            run = Run(backend, request)
        except OSError as error:
            backend.reply(error=error.strerror or str(error))
            return
        run.to_its_end()
    elif "leave" in request:
        backend.reply(started=leave(request))
    elif "end" in request:
        end_processes(request["end"], None, request["end_s"], between=lambda: None)
        backend.reply(ended=0)


def main() -> None:
    """Serve the backend that started this process."""
    close_descriptors()
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    try:
        serve(Backend())
    except Exception as error:  # noqa: BLE001 - Python would write its message into the log.
        said = "bug in the extension: %s. %s\n" % (type(error).__name__, places_of(error))
        os.write(SERVER_LOG, said.encode())
        raise SystemExit(1)
