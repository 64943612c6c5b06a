"""Run the agent's main loop: one conversation, after which the target is in a known state."""

import os
import queue
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pgpool_recovery import __version__
from pgpool_recovery.domain.error import RecoveryError, Refused, as_failure
from pgpool_recovery.domain.event import GotOn
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.log.note import span, turn_on
from pgpool_recovery.talk.protocol import (
    AGENT,
    PROTOCOL,
    SILENCE_S,
    Answer,
    Farewell,
    Greeting,
    Hello,
    Limits,
    Logged,
    Message,
    Ping,
    Request,
)
from pgpool_recovery.talk.request.blocks import ReceiveBlocks
from pgpool_recovery.talk.wire import (
    UnreadableError,
    another_protocol,
    as_result,
    decode_request,
    encode_message,
)

if TYPE_CHECKING:
    from pgpool_recovery.agent.answers.answers import Answers

TICK_S = 1.0
READ_BYTES = 65536
MAX_REQUEST_BYTES = 64 * 2**20
"""The longest request contains a cluster's sequences, possibly some hundred thousand."""


class Agent:
    """One conversation over two file descriptors."""

    def __init__(self, requests: int, messages: int) -> None:
        self._requests_end = requests
        self._messages = messages
        self._takes_frames = False
        """Whether the last request was received, after which no other is read."""
        self._is_handed_over = False
        """Whether the descriptors carry frames from now on; messages are dropped then."""
        os.set_blocking(messages, False)
        self._stop = Stop(lambda: self._send(GotOn()))
        self._is_alone = threading.Event()
        self._has_ended = threading.Event()
        self._queue: queue.SimpleQueue[Request | Refused | None] = queue.SimpleQueue()
        self._writing = threading.Lock()
        self._limits = Limits()
        self._reader = threading.Thread(target=self._read, args=(requests,), daemon=True)

    def serve(self) -> None:
        """Answer requests until the runner is gone; then undo what is not finished."""
        self._send(Greeting(AGENT, PROTOCOL, __version__))
        self._reader.start()
        try:
            self._answers.import_always()
            # no limit: the reader ends it when the runner is gone
            while (request := self._queue.get()) is not None:
                self._send(self._answer(request))
                if self._takes_frames:
                    self._is_handed_over = True
                    self._answers.receive(self._requests_end, self._messages)
                    return
        finally:
            self._send(Farewell(self._answers.take_back()))
            self._has_ended.set()

    def end(self) -> None:
        """Stop the request that is being processed, and end the loop."""
        self._stop.ask()
        self._queue.put(None)

    def _read(self, requests: int) -> None:
        """Receive requests as they arrive; anything that stops this also ends the agent."""
        try:
            for request in self._requests(requests):
                if isinstance(request, ReceiveBlocks):
                    self._takes_frames = True
                    self._queue.put(request)
                    return
                if isinstance(request, Hello):
                    self._limits = request.limits
                    if request.logs:
                        self._log()
                elif not isinstance(request, Ping):
                    self._queue.put(request)
        except UnreadableError as error:
            detail = f"The agent has version {__version__} and protocol {PROTOCOL}: {error}."
            self._queue.put(another_protocol("the runner", detail))
        finally:
            if not self._takes_frames:
                self._end_with_runner()

    def _end_with_runner(self) -> None:
        self._is_alone.set()
        alone_since = time.monotonic()
        self.end()
        # The next recovery completes what is still being done, such as removing a partial copy.
        while not self._has_ended.wait(TICK_S):
            if min(self._stop.idle_s, time.monotonic() - alone_since) > self._limits.undo_s:
                os._exit(1)

    def _log(self) -> None:
        """From here on, send log lines to the runner, whose clock all lines have."""
        from pgpool_recovery.log.process import name_of_this

        turn_on(lambda line: self._send(Logged(line)), name_of_this("agent"), tells_time=False)

    def _requests(self, requests: int) -> Iterator[Request]:
        """Yield requests until the end of the input, or until nothing has arrived for SILENCE_S."""
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
        """Write a message; if the runner is gone, or hears no messages, it is dropped."""
        if self._is_handed_over:
            return
        data = encode_message(message)
        try:
            with self._writing:
                while data and not self._is_lost():
                    with suppress(BlockingIOError):
                        data = data[os.write(self._messages, data) :]
        except OSError:  # The runner, or the connection to it, is gone.
            self.end()

    def _is_lost(self) -> bool:
        """Wait until a message can be written; return whether the runner was gone before that."""
        while not select.select([], [self._messages], [], TICK_S)[1]:
            if self._is_alone.is_set():
                return True
        return False

    def _answer(self, request: Request | Refused) -> Answer:
        if isinstance(request, Refused):
            return Answer(failure=request.as_record())
        try:
            with span("does {}", type(request).__name__):
                result = self._do(request)
            return Answer(result=as_result(result))
        except RecoveryError as error:
            return Answer(failure=error.as_record())
        except OSError as error:
            from pgpool_recovery.host.system_failure import failure_of_system

            return Answer(failure=failure_of_system(error, self._answers.directory).as_record())
        except Exception as error:  # noqa: BLE001 - a bug is reported to the runner, too
            bug = as_failure(error, TargetState.UNTOUCHED, "the agent")
            return Answer(failure=bug.as_record())

    def _do(self, request: Request) -> Any:
        self._answers.limits = self._limits
        return self._answers.result_of(request)

    @cached_property
    def _answers(self) -> "Answers":
        """What answers requests; importing it takes time, so that is done after the greeting."""
        from pgpool_recovery.agent.answers.answers import Answers

        return Answers(self._stop, self._send)


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
