"""Answer each request; the module that answers it is imported with the first such request.

So an agent imports only a fraction of its modules: one that only starts a server imports nothing
for copies, and psycopg is not imported before the first login. What a recovery always asks for next
is imported while the agent waits for the runner or for a program on this host.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgpool_recovery.domain.event import Event, Said
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.step.moving import Reserve
from pgpool_recovery.files.ahead import import_ahead
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.host.way import trusted_directory
from pgpool_recovery.talk.protocol import Limits, Request, Weigh
from pgpool_recovery.talk.request.blocks import BlockRequest, OpenChannel, ReceiveBlocks
from pgpool_recovery.talk.request.directory import DirectoryRequest, ReadBase
from pgpool_recovery.talk.request.host import HostRequest
from pgpool_recovery.talk.request.server import LogPosition, ServerRequest
from pgpool_recovery.talk.request.steps import AskMade, StepRequest, TakeStep, WriteLabel

if TYPE_CHECKING:
    from pgpool_recovery.agent.answers.blocks import BlockAnswers
    from pgpool_recovery.agent.answers.server import ServerAnswers
    from pgpool_recovery.agent.directory.own_login import OwnLogin
    from pgpool_recovery.agent.steps.steps import Steps

ALWAYS = (
    "pgpool_recovery.agent.answers.directory",
    "pgpool_recovery.agent.directory.configuration",
    "pgpool_recovery.agent.directory.swap",
)
"""What the first requests of both stages of a recovery need."""
CLIENT = ("psycopg",)
"""What they log in with: the first stage to the primary, the second to the target's own server."""


class Answers:
    """Answers the requests of one conversation, and keeps what later ones need."""

    def __init__(self, stop: Stop, emit: Callable[[Event], None]) -> None:
        self.limits = Limits()
        """The time limits, which the runner sends in its first line."""
        self._stop = stop
        self._emit = emit

    @cached_property
    def _own_login(self) -> "OwnLogin":
        from pgpool_recovery.agent.directory.own_login import OwnLogin

        return OwnLogin()

    @cached_property
    def _steps(self) -> "Steps":
        from pgpool_recovery.agent.steps.steps import Steps

        return Steps(self._stop, self._emit, self._own_login)

    @cached_property
    def _blocks(self) -> "BlockAnswers":
        from pgpool_recovery.agent.answers.blocks import BlockAnswers

        return BlockAnswers(self._stop, self._emit)

    @cached_property
    def _server(self) -> "ServerAnswers":
        from pgpool_recovery.agent.answers.server import ServerAnswers

        return ServerAnswers(self._stop, self._say)

    def _say(self, line: str) -> None:
        self._emit(Said("agent", line))

    def receive(self, read_end: int, write_end: int) -> None:
        """Receive blocks until the end, after that was asked for and permitted."""
        if "_blocks" in vars(self):
            self._blocks.receive(read_end, write_end)

    def take_back(self) -> TargetState | None:
        """At the end, settle what was started, and undo what was not finished.

        Return the state in which that leaves the target; None if there was nothing to undo.
        """
        state = None
        # What no request has created is not imported for this.
        if "_blocks" in vars(self):
            self._blocks.close()
        if "_server" in vars(self) and self._server.settle(self.limits.connect_s):
            state = TargetState.STOPPED
        if "_steps" in vars(self):
            has_begun, undone = self._steps.has_begun, self._steps.undo()
            return undone if has_begun else state
        return state

    def import_always(self) -> None:
        """Import what is needed in any case, while the runner is still preparing its requests."""
        for name in ALWAYS:
            import_module(name)
        import_ahead(CLIENT)

    @property
    def directory(self) -> Path | None:
        """The data directory that was reserved."""
        return self._steps.directory if "_steps" in vars(self) else None

    def result_of(self, request: Request) -> Any:
        """Do what a request asks for, and return its result; raise what prevents it."""
        for path in places_of(request):
            trusted_directory(path)
        if isinstance(request, DirectoryRequest):
            from pgpool_recovery.agent.answers import directory

            return directory.answer(request, self._stop, lambda: self._own_login, self._say)
        if isinstance(request, HostRequest):
            from pgpool_recovery.agent.answers import host

            return host.answer(request, self._stop, lambda: self._own_login, self.limits)
        if isinstance(request, StepRequest):
            from pgpool_recovery.agent.answers import steps

            return steps.answer(request, self._steps, self.limits)
        if isinstance(request, BlockRequest):
            return self._blocks.answer(request, self.limits.connect_s)
        if isinstance(request, ServerRequest):
            return self._server.answer(request, self._log_before, self.limits.connect_s)
        if isinstance(request, Weigh):
            return len(request.text)
        raise AssertionError(request)

    @property
    def _log_before(self) -> LogPosition | None:
        return self._steps.log_before if "_steps" in vars(self) else None


def places_of(request: Request) -> Iterator[Path]:
    """Yield the directories that a request names, which other users must not be able to exchange.

    The steps after Reserve are not included, since they work in the directories that it checked.
    """
    match request:
        case WriteLabel(directory):
            yield Path(directory)
        case AskMade(wanted):
            yield Path(wanted.data_directory)
        case ReadBase(directory):
            yield Path(directory)
        case TakeStep(Reserve(places)):
            yield from (Path(place.path) for place in places.all())
        case OpenChannel(source):
            yield Path(source.data_directory)
        case ReceiveBlocks(target):
            yield Path(target.data_directory)
        case _:
            # All other requests, and any that are added to the protocol, use this name.
            named = getattr(request, "data_directory", None)
            if named is not None:
                yield Path(named)
