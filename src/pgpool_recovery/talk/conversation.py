"""Start an agent and hold the runner's side of the conversation with it."""

import math
import os
import select
import selectors
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

from pgpool_recovery import __version__
from pgpool_recovery.domain.error import RecoveryError, Unreachable
from pgpool_recovery.domain.event import Event, Said
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.text import one_line
from pgpool_recovery.files.text import text_of
from pgpool_recovery.files.trust import user_name
from pgpool_recovery.log.note import is_on, note, span
from pgpool_recovery.talk.agent_log import AgentLog
from pgpool_recovery.talk.agent_process import AgentProcess, signals_blocked
from pgpool_recovery.talk.allowance import Allowance
from pgpool_recovery.talk.beginning import (
    KEPT_BYTES,
    MAX_NOISE_BYTES,
    Caller,
    SilentLogin,
    message_of,
    why_ended,
    why_noisy,
    why_not_started,
    why_silent,
)
from pgpool_recovery.talk.protocol import (
    HEARTBEAT_S,
    PROTOCOL,
    SILENCE_S,
    Answer,
    Farewell,
    Greeting,
    Hello,
    Limits,
    Logged,
    Ping,
)
from pgpool_recovery.talk.request.asks import Asks
from pgpool_recovery.talk.wire import (
    UnreadableError,
    another_protocol,
    answered_with,
    decode_message,
    encode_request,
    failure_of,
    result_as,
)

T = TypeVar("T")
READ_BYTES = 65536
MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_VERSION_CHARACTERS = 100
FAREWELL_S = 2.5
UNDO_S = 600.0
SENT_WITHIN_S = 300.0
"""An agent reads its input even while it works on a request."""
WRITE_TICK_MS = 200
ECHO = encode_request(Ping()).strip()
"""What comes back from a login that only echoes its input."""
SSH = "ssh"
TOLD_AFTER_S = 10.0
"""When no agent has greeted by then, its login's output is reported, long before we give up."""
TRIED_AGAIN_AFTER_S = (1.0, 3.0, 6.0, 10.0)
"""When to retry a login that sshd turned away: it does so at random when there are many at once
(MaxStartups), or for some seconds (PerSourcePenalties)."""


class Conversation:
    """A conversation with one agent; it takes one request at a time, after the greeting."""

    def __init__(
        self,
        process: AgentProcess,
        name: str,
        on_event: Callable[[Event], None],
        limits: Limits,
        undo_s: float,
    ) -> None:
        self.name = name
        self._process = process
        self._argv = process.argv
        self._limits = limits
        self._undo_s = undo_s
        self._on_event = on_event
        self._log = AgentLog(name)
        self._has_greeted = False
        self._noise = b""
        self._noise_bytes = 0
        self.version = ""
        """The agent's version, known from its greeting."""
        self.offers: tuple[str, ...] = ()
        """The requests that not every build of its protocol answers, and that this agent does."""
        self.is_turned_away = False
        """Whether the login failed before it began, so that another one may succeed."""
        self.is_busy = False
        """Whether the agent will accept no other request: the caller did not wait for the answer
        to the last one, or the conversation has been ended."""
        self._received = b""
        self._writing = threading.Lock()
        self._has_ended = threading.Event()
        self._is_quiet = threading.Event()
        """No more heartbeats; it is set when the conversation ends, or is handed over."""
        self._heart = threading.Thread(target=self._beat, daemon=True)
        with signals_blocked():
            self._heart.start()

    def ask(
        self,
        request: Asks[T],
        *,
        timeout_s: float,
        on_tick: Callable[[], None] = lambda: None,
        is_renewed_by_events: bool = False,
    ) -> T:
        """Send a request and return the agent's answer, of the type that the request declares.

        Events are passed on as they arrive. `on_tick` is called in between, about once a second
        while nothing arrives. `timeout_s` limits the wait for the answer, or with
        `is_renewed_by_events` the wait for each event. Raises the failure that the agent reports,
        Unreachable when it is gone or takes too long, and Refused when this version does not
        understand its message.
        """
        with span("asks the agent of {}: {}", self.name, request) as asking:
            answer = self._ask(request, timeout_s, on_tick, is_renewed_by_events)
            asking.came_to(answer)
            return answer

    def _ask(
        self,
        request: Asks[T],
        timeout_s: float,
        on_tick: Callable[[], None],
        is_renewed_by_events: bool,  # noqa: FBT001 - handed on by ask alone
    ) -> T:
        self.is_busy = True
        deadline = time.monotonic() + timeout_s
        self._send(encode_request(request), time.monotonic() + min(timeout_s, SENT_WITHIN_S))
        while True:
            message = self._next(deadline, on_tick)
            if isinstance(message, Answer):
                answer = self._taken(message, request)
                self.is_busy = False
                if isinstance(answer, RecoveryError):
                    raise answer
                return answer
            if not isinstance(message, Greeting | Farewell):
                self._on_event(message)
            on_tick()
            if is_renewed_by_events:
                deadline = time.monotonic() + timeout_s
            elif time.monotonic() > deadline:
                raise self._does_not_answer()

    def _taken(self, answer: Answer, request: Asks[T]) -> T | RecoveryError:
        """Return the answer's result, or the failure that it reports."""
        with self._reading():
            return failure_of(answer) or result_as(answer.result, answered_with(request))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Report an unreadable message as one of another protocol; then accept no more requests."""
        try:
            yield
        except UnreadableError as error:
            self.is_busy = True
            version = f"It has version {self.version}. " if self.version else ""
            detail = f"{version}Its message cannot be read here: {error}."
            raise another_protocol(f"the agent of {self.name}", detail) from error

    def hand_over(self, request: Asks[T], *, timeout_s: float) -> T:
        """Send the last request and return its answer; neither side sends messages after that.

        What both ends send instead goes through `pipes`. The conversation still ends the process.
        """
        self._is_quiet.set()
        self._heart.join(timeout_s)
        answer = self.ask(request, timeout_s=timeout_s)
        self.is_busy = True
        return answer

    @property
    def pipes(self) -> tuple[int, int, bytes]:
        """The descriptors from and to the agent, and what it has sent since its last answer."""
        return self._process.output, self._process.input, self._received

    @property
    def last_errors(self) -> str:
        """The end of what the agent, or ssh, has written to its standard error."""
        return self._last_errors()

    def greet(self, timeout_s: float) -> None:
        """Wait for the greeting and answer it; ignore what a login shell prints before it.

        Raises a failure that the agent reports, Refused when it speaks another protocol, and
        Unreachable or Refused with the cause when no agent greets within `timeout_s`.
        """
        deadline, told_at = time.monotonic() + timeout_s, time.monotonic() + TOLD_AFTER_S

        def tell() -> None:
            nonlocal told_at
            if time.monotonic() > told_at:
                told_at = math.inf
                self._on_event(Said("runner", self._login().news))

        while True:
            message = self._next(deadline, tell)
            if isinstance(message, Answer):
                with self._reading():
                    failure = failure_of(message)
                if failure is not None:
                    raise failure
            if isinstance(message, Greeting):
                self.version = one_line(message.version)[:MAX_VERSION_CHARACTERS]
                self._check(message)
                self._has_greeted = True
                self.offers = message.offers
                note("the agent of {} has greeted: {}", self.name, message)
                hello = Hello(__version__, self._limits, logs=is_on())
                self._send(encode_request(hello), deadline)
                return

    def _check(self, greeting: Greeting) -> None:
        if greeting.protocol != PROTOCOL:
            here = f"that on {socket.gethostname()}"
            there = f"that on the host of {self.name}"
            raise another_protocol(
                f"the agent of {self.name}",
                f"It has version {greeting.version} and protocol {greeting.protocol}; "
                f"here it is version {__version__} and protocol {PROTOCOL}.",
                older=there if greeting.protocol < PROTOCOL else here,
            )

    def _next(
        self, deadline: float, on_tick: Callable[[], None]
    ) -> Greeting | Answer | Farewell | Event:
        while True:
            noise, line = message_of(self._line(deadline, on_tick), ECHO)
            self._pass_over(noise)
            with self._reading():
                message = decode_message(line) if line else None
            if isinstance(message, Logged):
                self._log.take(message.line)
            elif message is not None:
                return message
            on_tick()
            if time.monotonic() > deadline:
                raise self._does_not_answer()

    def _pass_over(self, noise: bytes) -> None:
        """Ignore what is not a message; before the greeting keep its end, which may say why."""
        if self._has_greeted or not noise:
            return
        self._noise = (self._noise + noise + b"\n")[-KEPT_BYTES:]
        self._noise_bytes += len(noise)
        if self._noise_bytes > MAX_NOISE_BYTES:
            raise why_noisy(self._login())

    def _login(self, status: int | None = None) -> SilentLogin:
        """Return what is known about a login in which no agent has greeted."""
        noise = text_of((self._noise + self._received)[-KEPT_BYTES:])
        caller = None
        if self.is_by_ssh:
            *words, host, remote = self._argv
            caller = Caller(
                user=user_name(os.geteuid()),
                here=socket.gethostname(),
                host=host,
                command=shlex.join([*words, host, "true"]),
                call=shlex.join(self._argv),
                program=shlex.split(remote)[0],
            )
        return SilentLogin(self.name, caller, status, self._last_errors(), noise.strip())

    def _does_not_answer(self) -> RecoveryError:
        if not self._has_greeted:
            return why_silent(self._login())
        return Unreachable(f"the agent of {self.name} does not answer")

    def _line(self, deadline: float, on_tick: Callable[[], None]) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.output, selectors.EVENT_READ)
            while b"\n" not in self._received:
                if time.monotonic() > deadline:
                    raise self._does_not_answer()
                on_tick()
                if not selector.select(1.0):
                    continue
                data = os.read(self._process.output, READ_BYTES)
                if not data or len(self._received) > MAX_LINE_BYTES:
                    raise self._why_lost()
                self._received += data
                if not self._has_greeted and len(self._received) > MAX_NOISE_BYTES:
                    raise why_noisy(self._login())
        line, self._received = self._received.split(b"\n", 1)
        return line

    @property
    def is_by_ssh(self) -> bool:
        """Whether the agent runs on another host; on this one it is a child process."""
        return self._argv[0] == SSH

    def check(self) -> None:
        """Raise Unreachable when the agent is gone, for a caller that waits for something else."""
        if self._process.has_ended():
            raise self._why_lost()

    def _beat(self) -> None:
        """Tell the agent that the runner is alive, also while that waits for the primary.

        An agent that is gone is ignored here; the next request reports it.
        """
        with suppress(OSError, Unreachable):
            while not self._is_quiet.wait(HEARTBEAT_S):
                self._write(encode_request(Ping()), time.monotonic() + SILENCE_S)

    def _send(self, data: bytes, deadline: float) -> None:
        try:
            self._write(data, deadline)
        except OSError as error:  # A broken pipe, or a reset connection.
            raise self._why_lost() from error

    def _write(self, data: bytes, deadline: float) -> None:
        """Write a whole line; after a partial one nothing more can be sent to the agent."""
        if not self._writing.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise self._does_not_answer()
        try:
            rest = memoryview(data)
            while rest and not self._has_ended.is_set():
                if self._is_writable():
                    with suppress(BlockingIOError):
                        rest = rest[os.write(self._process.input, rest) :]
                elif time.monotonic() > deadline:
                    if len(rest) < len(data):
                        self._has_ended.set()
                    raise self._does_not_answer()
        finally:
            self._writing.release()

    def _is_writable(self) -> bool:
        poll = select.poll()
        poll.register(self._process.input, select.POLLOUT)
        return bool(poll.poll(WRITE_TICK_MS))

    def _why_lost(self) -> RecoveryError:
        """Return the failure of an agent that is gone, with ssh's message or its exit status."""
        status = self._process.status(FAREWELL_S)
        if status is None:
            return Unreachable(f"the agent of {self.name} closed the conversation")
        if self._has_greeted:
            return Unreachable(
                f"the connection to {self.name} was lost", detail=self._last_errors() or None
            )
        login = self._login(status)
        self.is_turned_away = login.is_turned_away
        return why_ended(login)

    def _last_errors(self) -> str:
        return self._process.errors.text()

    def last_word(self, within_s: float = FAREWELL_S) -> TargetState | None:
        """End the conversation and return the state in which the agent leaves the target.

        That is the state after the agent's undo, or else the one in the failure of a request whose
        answer was not awaited. None when the agent reports neither in time, or in no message that
        this version understands.
        """
        self._say_no_more()
        self.is_busy, said = True, None
        deadline = time.monotonic() + within_s
        with suppress(RecoveryError, UnreadableError, OSError):
            while True:
                message = self._next(deadline, lambda: None)
                if isinstance(message, Answer):
                    failure = failure_of(message)
                    said = said if failure is None else failure.target
                elif isinstance(message, Farewell):
                    return message.state or said
                elif isinstance(message, Said):  # What it undoes, and what it keeps.
                    self._on_event(message)
        return said

    def _say_no_more(self) -> None:
        self._has_ended.set()
        self._is_quiet.set()
        self.is_busy = True
        with self._writing:
            self._process.close_input()

    def close(self) -> None:
        """End the conversation: the agent undoes what is not finished, and exits."""
        with span("ends the conversation with the agent of {}", self.name):
            self._close()

    def _close(self) -> None:
        self._say_no_more()
        self._process.end(self._undo_s)


@contextmanager
def converse(
    argv: Sequence[str],
    name: str,
    on_event: Callable[[Event], None],
    *,
    timeout_s: float,
    limits: Limits = Limits(),  # noqa: B008 - it is immutable
    undo_s: float = UNDO_S,
    begun: AgentProcess | None = None,
) -> Iterator[Conversation]:
    """Start an agent and hold a conversation with it, which ends with the context.

    `timeout_s` limits the wait for its greeting, `undo_s` the time that a local agent has for its
    undo at the end. `begun` is a process with this argv that is already running; it is used first,
    and is ended here. A login that sshd turned away is retried within `timeout_s`. Raises what
    Conversation.greet raises.
    """
    allowance, deadline = Allowance(name, on_event), time.monotonic() + timeout_s
    try:
        for pause_s in (*TRIED_AGAIN_AFTER_S, None):
            process, begun = begun or _start(argv, name), None
            conversation = Conversation(process, name, allowance.take, limits, undo_s)
            try:
                left_s = deadline - time.monotonic()
                try:
                    with span("waits for the greeting of the agent of {}", name):
                        conversation.greet(left_s)
                except Unreachable:
                    is_left = pause_s is not None and left_s > pause_s
                    if not conversation.is_turned_away or pause_s is None or not is_left:
                        raise
                else:
                    yield conversation
                    return
            finally:
                conversation.close()
            on_event(Said("runner", f"sshd of {name} turned the login away; trying again"))
            time.sleep(pause_s)
    finally:
        allowance.end()


def _start(argv: Sequence[str], name: str) -> AgentProcess:
    try:
        return AgentProcess(argv)
    except OSError as error:
        raise why_not_started(argv[0], name, error) from error
