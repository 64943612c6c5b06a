"""The agent's main loop: one conversation, and a target that is left in a state with a name."""

import os
import queue
import select
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from pgpool_recovery import __version__
from pgpool_recovery.agent import swap
from pgpool_recovery.agent.independent import make_independent
from pgpool_recovery.agent.login import try_logins
from pgpool_recovery.agent.look_around import look_around
from pgpool_recovery.agent.observe import observe, read_local_wal
from pgpool_recovery.agent.own_login import OwnLogin
from pgpool_recovery.agent.peers import try_peers
from pgpool_recovery.agent.program import Stop
from pgpool_recovery.agent.protocol import (
    PROTOCOL,
    SILENCE_S,
    AbortIncremental,
    Answer,
    ApplyIncremental,
    AskRunning,
    BeginIncremental,
    DiscardOld,
    FindLog,
    Finish,
    Greeting,
    IsTidy,
    LookAround,
    LookForBackup,
    MakeIndependent,
    Message,
    NoteFailedStart,
    Observe,
    Ping,
    ReadBase,
    ReadLog,
    Request,
    Start,
    StopServer,
    TakeStep,
    Tidy,
    TryLogins,
    TryPeers,
    Undo,
    Weigh,
)
from pgpool_recovery.agent.restore import observe_repository
from pgpool_recovery.agent.running import ask_running
from pgpool_recovery.agent.start import find_log, last_lines, start, stop_server
from pgpool_recovery.agent.steps import Steps
from pgpool_recovery.agent.wire import as_result, decode_request, encode_message
from pgpool_recovery.domain.error import RecoveryError, Refused, Undone
from pgpool_recovery.domain.event import Said

TICK_S = 1.0
READ_BYTES = 65536


class Agent:
    """One conversation over two descriptors."""

    def __init__(self, requests: int, messages: int) -> None:
        self._messages = messages
        self._stop = Stop()
        self._queue: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._writing = threading.Lock()
        self._own_login = OwnLogin()
        self._steps = Steps(self._stop, self._send, self._own_login)
        self._reader = threading.Thread(target=self._read, args=(requests,), daemon=True)

    def serve(self) -> None:
        """Answer requests until the runner is gone; then take back what is not finished."""
        self._send(Greeting(agent="pgpool-recovery", protocol=PROTOCOL, version=__version__))
        self._reader.start()
        try:
            while (request := self._queue.get()) is not None:
                self._send(self._answer(request))
        finally:
            self._steps.undo()

    def end(self) -> None:
        """Stop what is being done, and end."""
        self._stop.ask()
        self._queue.put(None)

    def _read(self, requests: int) -> None:
        """Take requests as they come; the end of the input, or a long silence, ends the agent."""
        heard, begun = time.monotonic(), list[bytes]()
        while time.monotonic() - heard < SILENCE_S:
            if not select.select([requests], [], [], TICK_S)[0]:
                continue
            heard = time.monotonic()
            data = os.read(requests, READ_BYTES)
            if not data:
                break
            *ends, rest = data.split(b"\n")
            for end in ends:
                request = decode_request(b"".join((*begun, end)))
                begun.clear()
                if not isinstance(request, Ping):
                    self._queue.put(request)
            begun.append(rest)
        self.end()

    def _send(self, message: Message) -> None:
        data = encode_message(message)
        try:
            with self._writing:
                while data:
                    data = data[os.write(self._messages, data) :]
        except BrokenPipeError:
            self.end()

    def _answer(self, request: Request) -> Answer:
        try:
            return Answer(result=as_result(self._do(request)))
        except RecoveryError as error:
            return Answer(failure=error.as_record())
        except OSError as error:
            return Answer(failure=_of_system(error).as_record())
        except Exception as error:  # noqa: BLE001 - the runner shall see a bug, too
            text = "".join(traceback.format_exception(error))
            return Answer(
                failure=RecoveryError(f"bug in the agent: {error!r}", detail=text).as_record()
            )

    def _do(self, request: Request) -> Any:  # noqa: C901 - one line for each request
        match request:
            case Tidy(data_directory):
                swap.tidy(Path(data_directory).resolve())
            case IsTidy(data_directory):
                return swap.is_tidy(Path(data_directory).resolve())
            case Observe():
                return observe(request, self._stop, self._own_login)
            case TryLogins():
                return try_logins(request, self._stop, self._own_login)
            case LookAround():
                return look_around(request)
            case TryPeers():
                return try_peers(request, self._stop, self._own_login)
            case LookForBackup(stanza, timeout_s):
                return observe_repository(stanza, self._stop, timeout_s=timeout_s)
            case ReadBase():
                return read_local_wal(request, self._stop)
            case AskRunning():
                return ask_running(request, self._stop)
            case FindLog():
                return find_log(request)
            case StopServer():
                stop_server(request, self._stop)
            case BeginIncremental():
                return self._steps.begin_incremental(request)
            case ApplyIncremental(step):
                self._steps.apply_incremental(step)
            case AbortIncremental():
                self._steps.abort_incremental()
            case TakeStep(step, stall_s):
                self._steps.take(step, stall_s)
            case Undo():
                return self._steps.undo()
            case Finish():
                self._steps.finish()
            case Start():
                return start(request, self._stop, lambda line: self._send(Said("agent", line)))
            case ReadLog(log):
                return last_lines(log)
            case MakeIndependent():
                return make_independent(request, self._stop)
            case Weigh(text):
                return len(text)
            case NoteFailedStart(data_directory):
                swap.note_failed_start(Path(data_directory).resolve())
            case DiscardOld(data_directory):
                return swap.discard_old(Path(data_directory).resolve())
        return None


def _of_system(error: OSError) -> RecoveryError:
    what = f'"{error.filename}"' if error.filename else "a system call"
    return Undone(f"{what} failed on the target: {error.strerror}")


def main() -> int:
    """Serve the runner on standard input and output."""
    agent = Agent(sys.stdin.fileno(), sys.stdout.fileno())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: agent.end())
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    os.umask(0o077)
    if os.geteuid() == 0:
        refusal = Refused(
            "the agent does not run as root",
            hint="Let ssh log in as the user that runs PostgreSQL.",
        )
        os.write(sys.stdout.fileno(), encode_message(Answer(failure=refusal.as_record())))
        return refusal.exit_status
    agent.serve()
    return 0
