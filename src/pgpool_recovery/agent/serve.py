"""The agent's main loop: one conversation, and a target that is left in a state with a name."""

import os
import queue
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from pgpool_recovery import __version__
from pgpool_recovery.agent.directory import swap
from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.directory.own_wal import digests
from pgpool_recovery.agent.directory.state import see_state
from pgpool_recovery.agent.method.restore import observe_repository
from pgpool_recovery.agent.observe.archived_history import ask_archive
from pgpool_recovery.agent.observe.login import try_logins
from pgpool_recovery.agent.observe.peer_trials import try_peers
from pgpool_recovery.agent.observe.surroundings import look_around
from pgpool_recovery.agent.observe.target import observe, read_local_wal
from pgpool_recovery.agent.server.former_slots import drop_former_slots_of
from pgpool_recovery.agent.server.independent import make_independent
from pgpool_recovery.agent.server.probation import Guard, stop_at_once
from pgpool_recovery.agent.server.running import ask_running
from pgpool_recovery.agent.server.standby import StandbyLook
from pgpool_recovery.agent.server.start import slot_name, start, stop_server
from pgpool_recovery.agent.server.start_log import find_log, last_lines
from pgpool_recovery.agent.steps import Steps
from pgpool_recovery.domain.error import RecoveryError, Refused, as_failure
from pgpool_recovery.domain.event import Said
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.step import Reserve
from pgpool_recovery.host.program import Stop
from pgpool_recovery.host.system_failure import failure_of_system
from pgpool_recovery.host.way import trusted_directory
from pgpool_recovery.talk.protocol import (
    PROTOCOL,
    SILENCE_S,
    AbortIncremental,
    Answer,
    ApplyIncremental,
    AskArchive,
    AskRunning,
    AskStandby,
    AskState,
    BeginIncremental,
    Believe,
    DigestWal,
    DiscardOld,
    DropFormerSlots,
    Farewell,
    FindLog,
    Finish,
    Greeting,
    Hello,
    IsTidy,
    Limits,
    LookAround,
    LookForBackup,
    MakeIndependent,
    Message,
    Observe,
    Ping,
    ReadBase,
    ReadLog,
    ReadSlotName,
    Request,
    Start,
    StopAtOnce,
    StopServer,
    TakeStep,
    Tidy,
    TryLogins,
    TryPeers,
    Undo,
    Weigh,
)
from pgpool_recovery.talk.wire import (
    UnreadableError,
    another_protocol,
    as_result,
    decode_request,
    encode_message,
)

TICK_S = 1.0
READ_BYTES = 65536
MAX_REQUEST_BYTES = 64 * 2**20
"""The longest request has the sequences of a cluster: some hundred thousand of them."""


class Agent:
    """One conversation over two descriptors."""

    def __init__(self, requests: int, messages: int) -> None:
        self._messages = messages
        os.set_blocking(messages, False)
        self._stop = Stop()
        self._is_alone = threading.Event()
        self._has_ended = threading.Event()
        self._limits = Limits()
        self._queue: queue.SimpleQueue[Request | Refused | None] = queue.SimpleQueue()
        self._writing = threading.Lock()
        self._own_login = OwnLogin()
        self._look, self._guard = StandbyLook(), Guard()
        self._steps = Steps(self._stop, self._send, self._own_login)
        self._reader = threading.Thread(target=self._read, args=(requests,), daemon=True)

    def serve(self) -> None:
        """Answer requests until the runner is gone; then take back what is not finished."""
        self._send(Greeting(agent="pgpool-recovery", protocol=PROTOCOL, version=__version__))
        self._reader.start()
        try:
            # no limit: the reader ends it when nobody is there
            while (request := self._queue.get()) is not None:
                self._send(self._answer(request))
        finally:
            state = TargetState.STOPPED if self._guard.settle(self._limits.connect_s) else None
            has_begun, undone = self._steps.has_begun, self._steps.undo()
            self._send(Farewell(undone if has_begun else state))
            self._has_ended.set()

    def end(self) -> None:
        """Stop what is being done, and end."""
        self._stop.ask()
        self._queue.put(None)

    def _read(self, requests: int) -> None:
        """Take requests as they come; whatever keeps that from going on ends the agent."""
        try:
            for request in self._requests(requests):
                if isinstance(request, Hello):
                    self._limits = request.limits
                elif not isinstance(request, Ping):
                    self._queue.put(request)
        except UnreadableError as error:
            detail = f"The agent has version {__version__} and protocol {PROTOCOL}: {error}."
            self._queue.put(another_protocol("the runner", detail))
        finally:
            self._is_alone.set()
            self.end()
            # What it still does, such as removing a half copy, the next recovery goes on with.
            if not self._has_ended.wait(self._limits.undo_s):
                os._exit(1)

    def _requests(self, requests: int) -> Iterator[Request]:
        """Yield what comes, until the end of the input or a long silence."""
        heard, begun, begun_bytes = time.monotonic(), list[bytes](), 0
        while time.monotonic() - heard < SILENCE_S:
            if not select.select([requests], [], [], TICK_S)[0]:
                continue
            heard = time.monotonic()
            data = os.read(requests, READ_BYTES)
            if not data:
                return
            *ends, rest = data.split(b"\n")
            for end in ends:
                yield decode_request(b"".join((*begun, end)))
                begun.clear()
                begun_bytes = 0
            begun.append(rest)
            begun_bytes += len(rest)
            if begun_bytes > MAX_REQUEST_BYTES:
                raise UnreadableError(f"a request has more than {MAX_REQUEST_BYTES} bytes")

    def _send(self, message: Message) -> None:
        """Write a message; when nobody is there to take it, it is lost."""
        data = encode_message(message)
        try:
            with self._writing:
                while data and not self._is_lost():
                    with suppress(BlockingIOError):
                        data = data[os.write(self._messages, data) :]
        except OSError:  # The runner, or the connection to it, is gone.
            self.end()

    def _is_lost(self) -> bool:
        """Wait until a message can be written; say whether the runner is gone before."""
        while not select.select([], [self._messages], [], TICK_S)[1]:
            if self._is_alone.is_set():
                return True
        return False

    def _answer(self, request: Request | Refused) -> Answer:
        if isinstance(request, Refused):
            return Answer(failure=request.as_record())
        try:
            return Answer(result=as_result(self._do(request)))
        except RecoveryError as error:
            return Answer(failure=error.as_record())
        except OSError as error:
            return Answer(failure=failure_of_system(error, self._steps.directory).as_record())
        except Exception as error:  # noqa: BLE001 - the runner shall see a bug, too
            bug = as_failure(error, TargetState.UNTOUCHED, "the agent")
            return Answer(failure=bug.as_record())

    def _do(self, request: Request) -> Any:  # noqa: C901 - one line for each request
        for path in places_of(request):
            trusted_directory(path)
        match request:
            case Tidy(data_directory):
                swap.tidy(Path(data_directory).resolve())
            case IsTidy(data_directory):
                return swap.is_tidy(Path(data_directory).resolve())
            case AskState(data_directory):
                return see_state(Path(data_directory).resolve())
            case Observe():
                return observe(request, self._stop, self._own_login)
            case DigestWal(data_directory, parts):
                return digests(Path(data_directory).resolve(), parts)
            case TryLogins():
                return try_logins(request, self._stop, self._own_login, self._limits.connect_s)
            case LookAround():
                return look_around(request, self._limits.connect_s)
            case TryPeers():
                return try_peers(request, self._stop, self._own_login, self._limits)
            case LookForBackup(stanza, timeout_s, archive_s):
                return observe_repository(
                    stanza, self._stop, timeout_s=timeout_s, archive_s=archive_s
                )
            case AskArchive():
                return ask_archive(request, self._stop)
            case ReadBase():
                return read_local_wal(request, self._stop)
            case AskRunning():
                return ask_running(request, self._stop, self._limits.connect_s)
            case AskStandby():
                return self._look.take(request, self._stop, self._limits.connect_s)
            case Believe():
                self._guard.believe()
            case StopAtOnce():
                return stop_at_once(request, self._stop)
            case FindLog():
                return find_log(request, self._steps.log_before)
            case StopServer():
                stop_server(request, self._stop, lambda line: self._send(Said("agent", line)))
            case BeginIncremental():
                return self._steps.begin_incremental(request, self._limits)
            case ApplyIncremental(step):
                return self._steps.apply_incremental(step)
            case AbortIncremental():
                self._steps.abort_incremental()
            case TakeStep(step, stall_s):
                return self._steps.take(step, stall_s, self._limits.connect_s)
            case Undo():
                return self._steps.undo()
            case Finish():
                self._steps.finish()
            case ReadSlotName(data_directory):
                return slot_name(Path(data_directory).resolve(), self._stop)
            case Start():
                self._guard.watch(request)
                return start(request, self._stop, lambda line: self._send(Said("agent", line)))
            case ReadLog(log):
                return last_lines(log)
            case MakeIndependent():
                return make_independent(request, self._stop, self._limits.connect_s)
            case Weigh(text):
                return len(text)
            case DropFormerSlots():
                return drop_former_slots_of(request, self._limits.connect_s)
            case DiscardOld(data_directory):
                return swap.discard_old(Path(data_directory).resolve())
        return None


def places_of(request: Request) -> Iterator[Path]:
    """Yield the directories that a request names: nothing is read or done in others' ones.

    What the steps after Reserve work in, is what that has seen.
    """
    match request:
        case ReadBase(directory):
            yield Path(directory)
        case TakeStep(Reserve(places)):
            yield from (Path(place.path) for place in places.all())
        case _:
            # All of them, and whatever is added to the protocol, call it so.
            named = getattr(request, "data_directory", None)
            if named is not None:
                yield Path(named)


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
