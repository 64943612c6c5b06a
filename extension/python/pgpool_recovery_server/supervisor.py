"""Run one program at a time for a PostgreSQL backend, and leave none of its processes behind.

A process of its own, because a backend that is terminated or killed can clean up nothing: when
its end of the request pipe closes, for whatever reason, everything that it started here is ended.

Requests come as messages on standard input, replies go to standard output; standard error is the
server's log. A request is one of (words, names and the mark are bytes)

* ``{"run": [program, word...], "environment": {...}, "directory": "...", "mark": "NAME=value",
  "record": "...", "identity": (device, inode)}``: a line that begins with the record is none of the
  text that goes to the log; with an identity the program has to be that file
* ``{"stop": True}`` while a program runs
* ``{"end": "NAME=value"}``: end the processes that a lost supervisor left behind
* ``{"leave": [...], "environment": {...}, "directory": "...", "after_s": 0.5, "output": "log"}``:
  start a program that outlives the backend (``output`` is ``log`` or ``nowhere``)

``run`` is answered by ``{"started": pid}``, any number of ``{"line": "..."}``, and
``{"ended": status}`` (negative: the signal), or by ``{"error": "..."}`` when it could not be
started; ``leave`` by ``started``, ``end`` by ``ended``.
"""

import errno
import os
import select
import signal
import time

from .bug_report import bug
from .message import encode_message, take_message
from .process_tree import find_processes
from .shown_text import shown_bytes
from .spawn import EXCHANGED, spawn, status_of

REQUESTS, REPLIES, SERVER_LOG = 0, 1, 2

# What is sent to the script's processes, and when, until none is left. SIGINT goes to the process
# group as PostgreSQL's own cancel does; a background process of a shell ignores it.
STOPPING_SIGNALS = ((0.0, signal.SIGINT), (1.0, signal.SIGTERM), (3.5, signal.SIGKILL))
STOPPING_DEADLINE_S = 4.8
STOPPING_TICK_S = 0.05

READ_BYTES = 65536  # As much as a pipe holds (pipe(7)).
MAX_LINE_BYTES = 8192
MAX_RECORD_BYTES = 1048576
PIPE_BUF = 4096  # A write of at most so many bytes is not mixed with another process's (pipe(7)).


class Lines:
    """Cut bytes that arrive in pieces into lines of a limited length.

    A line that begins with `record` is one for the caller and no text, and may be longer.
    """

    def __init__(self, record=None):
        self._rest = b""
        self._record = record

    def add(self, data):
        """Return the lines that `data` completes; a carriage return ends a line as well."""
        pieces = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        self._rest = pieces.pop()
        lines = [piece for piece in pieces if piece]
        is_record = self._record is not None and self._rest.startswith(self._record)
        if len(self._rest) > (MAX_RECORD_BYTES if is_record else MAX_LINE_BYTES):
            lines.append(self.take_rest())
        return lines

    def take_rest(self):
        """Return what came after the last end of a line."""
        rest, self._rest = self._rest, b""
        return rest


class Backend:
    """The conversation with the backend that started this process."""

    def __init__(self):
        self.is_gone = False
        self._received = b""
        self._wakeup, wakeup_write = os.pipe()
        for descriptor in (self._wakeup, wakeup_write):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wakeup_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._give_up)

    def _give_up(self, *_):
        self.is_gone = True

    def wait(self, descriptor=None):
        """Wait for a request, for a signal, or until `descriptor` is readable.

        Returns whether the descriptor is.
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

    def _receive(self):
        data = os.read(REQUESTS, READ_BYTES)
        self._received += data
        self.is_gone = self.is_gone or not data

    def take_request(self):
        """Return the next request that has arrived, or None."""
        request, self._received = take_message(self._received)
        return request

    def reply(self, **message):
        """Send a reply; waits for a slow backend; one that is gone is noted and no error."""
        data = encode_message(message)
        while data and not self.is_gone:
            try:
                data = data[os.write(REPLIES, data) :]
            except BrokenPipeError:
                self.is_gone = True


class Run:
    """One run of a program, from its start until it has ended or was stopped."""

    def __init__(self, backend, request):
        self._backend = backend
        self._mark = request["mark"]
        self._record = request["record"]
        self._lines = Lines(self._record)
        self._output, output_write = os.pipe()
        try:
            self._pid = start(request["run"], request, output_write)
        except OSError:
            os.close(self._output)
            raise
        finally:
            os.close(output_write)
        os.set_blocking(self._output, False)

    def to_its_end(self):
        """Relay the output; stop the program when the backend asks for it or is gone."""
        self._backend.reply(started=self._pid)
        status = status_of(self._pid)
        while status is None:
            if self._backend.wait(self._output):
                self._relay_output()
            if self._backend.is_gone or self._backend.take_request() is not None:
                end_processes(self._mark, self._pid, between=self._relay_output)
                status = status_of(self._pid)
                break
            status = status_of(self._pid)
        self._hand_over_output()
        self._backend.reply(ended=status)

    def _relay_output(self):
        """Pass on what is there, once: a program that floods us must not keep us from stopping."""
        if self._output is None:
            return False
        try:
            data = os.read(self._output, READ_BYTES)
        except BlockingIOError:
            return False
        for line in self._lines.add(data):
            self._relay_line(line)
        if not data:
            self._close_output()
        return bool(data)

    def _relay_line(self, line):
        if not line.startswith(self._record):
            write_to_log(line)
        self._backend.reply(line=line.decode("utf-8", "backslashreplace"))

    def _hand_over_output(self):
        """Let what the program left running go on writing, into the server's log.

        A start script that calls pg_ctl without -l leaves a server that writes to our pipe: closing
        it would end that server by SIGPIPE, and waiting for it would take for ever.
        """
        for _ in range(3):  # More than a pipe holds: all that the program itself has written.
            if not self._relay_output():
                break
        if self._output is None:
            return
        if os.fork() == 0:
            copy_to_log(self._output)
        self._close_output()

    def _close_output(self):
        os.close(self._output)
        self._output = None
        rest = self._lines.take_rest()
        if rest:
            self._relay_line(rest)


def start(argv, request, output):
    """Start a program, its output going to a descriptor or (None) nowhere; return its process id.

    A script without ``#!`` runs in sh: that is what execvp(3) does, and what the system(3) of the
    stock extension came to.
    """
    environment, directory = request["environment"], request["directory"]
    nothing = os.open(os.devnull, os.O_RDWR)
    output = nothing if output is None else output

    def before():
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


def check_identity(path, identity):
    """Raise OSError when a path leads to another file, by now, than the one that was looked at."""
    if identity is not None:
        status = os.stat(path)
        if (status.st_dev, status.st_ino) != tuple(identity):
            raise OSError(errno.ESTALE, EXCHANGED)


def heed_signals():
    """Undo what Python ignores for its own sake: a script is to end when nobody reads it."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)


def leave(request):
    """Start a program that nobody waits for; return the id of the process that will be it.

    It waits a moment, so that the call that asked for it is answered before its server stops.
    """
    pid = os.fork()
    if pid == 0:
        try:
            time.sleep(request["after_s"])
            output = SERVER_LOG if request["output"] == "log" else None
            start(request["leave"], request, output)
        except OSError as error:
            write_to_log(b"could not execute %s: %s" % (request["leave"][0], str(error).encode()))
        finally:
            os._exit(0)
    return pid


def end_processes(mark, session, between):
    """Signal the processes of a script with growing force until none is left, or time is up.

    Calls `between` between two looks.
    """
    began = time.monotonic()
    signals = list(STOPPING_SIGNALS)
    while time.monotonic() - began < STOPPING_DEADLINE_S:
        processes = find_processes(mark, session)
        if not processes:
            return
        if time.monotonic() - began >= signals[0][0]:
            _send(signals[0][1], processes, session)
            if len(signals) > 1:
                signals.pop(0)
        time.sleep(STOPPING_TICK_S)
        between()


def _send(number, processes, session):
    if number == signal.SIGINT and session is not None:
        _send_to(os.killpg, session, number)
    else:
        for pid in processes:
            _send_to(os.kill, pid, number)


def _send_to(send, pid, number):
    try:
        send(pid, number)
    except (ProcessLookupError, PermissionError):
        pass  # It ended meanwhile, or runs as another user (sudo): that one is not ours to end.


def copy_to_log(output):
    """Copy all that comes to the server's log and exit: the rest of a forked process's life."""
    os.setsid()
    os.dup2(output, REQUESTS)
    os.dup2(SERVER_LOG, REPLIES)
    close_descriptors()
    os.set_blocking(REQUESTS, True)
    lines = Lines()
    while True:
        data = os.read(REQUESTS, PIPE_BUF)
        for line in lines.add(data) if data else [lines.take_rest()]:
            if line:
                write_to_log(line)
        if not data:
            os._exit(0)


def write_to_log(line):
    """Write a line to the server's standard error, in pieces that no other line can break.

    What controls a terminal, or begins another line there, is escaped, and so are zero bytes, which
    begin a chunk of the logging collector's protocol.
    """
    line = shown_bytes(line) + b"\n"
    while line:
        line = line[os.write(SERVER_LOG, line[:PIPE_BUF]) :]


def close_descriptors():
    """Close everything but standard input, output and error."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > SERVER_LOG:
            _close_if_open(int(name))


def _close_if_open(descriptor):
    try:
        os.close(descriptor)
    except OSError:
        pass  # The one that listed the directory.


def serve(backend):
    """Answer requests until the backend is gone."""
    while not backend.is_gone:
        backend.wait()
        request = backend.take_request()
        if request is not None:
            answer(backend, request)


def answer(backend, request):
    """Do what one request asks for; ``stop`` for a program that has ended asks for nothing."""
    if "run" in request:
        try:
            run = Run(backend, request)
        except OSError as error:
            backend.reply(error=error.strerror)
            return
        run.to_its_end()
    elif "leave" in request:
        backend.reply(started=leave(request))
    elif "end" in request:
        end_processes(request["end"], None, between=lambda: None)
        backend.reply(ended=0)


def main():
    """Serve the backend that started this process."""
    close_descriptors()
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    try:
        serve(Backend())
    except Exception as error:  # noqa: BLE001 - Python would write what it says into the log.
        failure = bug(error)
        os.write(SERVER_LOG, ("%s: %s\n" % (failure.message, failure.detail)).encode())
        raise SystemExit(1)
