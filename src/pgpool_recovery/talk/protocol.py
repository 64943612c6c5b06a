"""The messages between runner and agent: for each request, events and then one answer.

Each message is a line of JSON. The docstring of a request says what the agent does, in the
imperative, and what it answers.
"""

from typing import Any

from pgpool_recovery.domain.event import Event
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.talk.request.asks import Asks
from pgpool_recovery.talk.request.blocks import BlockRequest
from pgpool_recovery.talk.request.directory import DirectoryRequest
from pgpool_recovery.talk.request.host import (
    AskConfinement,
    HostRequest,
)
from pgpool_recovery.talk.request.server import ServerRequest
from pgpool_recovery.talk.request.steps import StepRequest

PROTOCOL = 6
"""Raised whenever a message changes (tests/unit/talk/test_protocol.py). When the numbers differ,
both ends report another protocol instead of guessing. A request that an agent offers in its
greeting may be added without that."""
HEARTBEAT_S = 5.0
SILENCE_S = 30.0
"""An agent that receives nothing for this long, six heartbeats, assumes that the link is lost."""


@record
class Greeting:
    """The agent's first line; what a login shell prints before it is ignored.

    Its fields are those of all builds, so that each can report another protocol. `agent` is the
    name of the program, followed by the requests that this agent offers: it answers them, although
    other builds of its protocol do not. A runner sends these only to an agent that offers them, so
    a node can be updated before another.
    """

    agent: str
    protocol: int
    version: str

    @property
    def offers(self) -> tuple[str, ...]:
        """The names of the requests that the agent offers."""
        return tuple(self.agent.split()[1:])


@record
class Limits:
    """How long the agent waits, as set on the primary."""

    connect_s: float = 5.0
    """For a connection to a server, including the login."""
    backup_start_s: float = 600.0
    """For an incremental base backup to begin; first come its checkpoint and its WAL summaries."""
    silence_s: float = 120.0
    """For the next byte of an incremental base backup."""
    undo_s: float = 600.0
    """For its undo when the runner is gone; after that it exits."""


@record
class Hello:
    """The runner's first line, never answered: its version and how long the agent may wait."""

    version: str
    limits: Limits
    logs: bool = False
    """Whether the agent sends its log lines as well."""


@record
class Weigh(Asks[int]):
    """Return the length of the text; the time that this takes shows how fast the link is."""

    text: str


@record
class Ping:
    """A heartbeat; never answered."""


Request = (
    DirectoryRequest
    | HostRequest
    | StepRequest
    | BlockRequest
    | ServerRequest
    | Weigh
    | Hello
    | Ping
)


@record
class Answer:
    """The end of a request: its result in JSON types, or the record of a failure."""

    result: Any = None
    failure: dict[str, Any] | None = None


@record
class Failure:
    """The record of a failure, as made by `RecoveryError.as_record`."""

    error: str
    message: str
    detail: str | None
    hint: str | None
    target: TargetState
    exit_status: int
    sqlstate: str


@record
class Farewell:
    """The agent's last line, after it has undone what was not finished.

    `state` is that of the target then, None when there was nothing to undo.
    """

    state: TargetState | None


@record
class Logged:
    """A line of the agent's log, for the runner's log."""

    line: str


AGENT = " ".join(("pgpool-recovery", AskConfinement.__name__))
"""What `Greeting.agent` is in this build; after a higher PROTOCOL, nothing need be offered."""

Message = Greeting | Answer | Farewell | Logged | Event
