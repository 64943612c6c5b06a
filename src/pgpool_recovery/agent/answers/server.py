"""Answer the requests about the server of a data directory (talk/request/server.py)."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgpool_recovery.files.ahead import import_ahead
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.server import (
    AskRunning,
    AskSource,
    AskStandby,
    Believe,
    DropFormerSlots,
    FindLog,
    LogPosition,
    MakeIndependent,
    ReadLog,
    ReadSlotName,
    ServerRequest,
    Start,
    Started,
    StopAtOnce,
    StopServer,
)

if TYPE_CHECKING:
    from pgpool_recovery.agent.ahead.fetch import Ahead
    from pgpool_recovery.agent.server.probation import Guard
    from pgpool_recovery.agent.server.standby import StandbyLook

STANDBY = ("pgpool_recovery.agent.server.standby", "pgpool_recovery.agent.server.former_slots")
"""What is needed next after a server was started, because its standby state is then queried."""


class ServerAnswers:
    """What one conversation has learnt of a server, and its guard over one that it has started."""

    def __init__(self, stop: Stop, say: Callable[[str], None]) -> None:
        self._stop = stop
        self._say = say
        self._ahead: Ahead | None = None

    @cached_property
    def _look(self) -> "StandbyLook":
        from pgpool_recovery.agent.server.standby import StandbyLook

        return StandbyLook()

    @cached_property
    def _guard(self) -> "Guard":
        from pgpool_recovery.agent.server.probation import Guard

        return Guard()

    def answer(  # noqa: C901 - one case for each request
        self, request: ServerRequest, log_before: LogPosition | None, connect_s: float
    ) -> Any:
        """Return the result of a request.

        `log_before` is where the server's log ended before a step changed what it streams from.
        """
        match request:
            case Start():
                import_ahead(STANDBY)
                return self._start(request)
            case Believe():
                try:
                    return self._guard.believe()
                finally:
                    self._end_ahead()
            case AskStandby():
                return self._look.take(request, self._stop, connect_s)
            case AskSource():
                from pgpool_recovery.agent.server.source import see_source

                return see_source(request, self._look, self._stop, connect_s)
            case StopAtOnce():
                from pgpool_recovery.agent.server.probation import stop_at_once

                try:  # The server first: it may accept writes.
                    return stop_at_once(request, self._stop)
                finally:
                    self._end_ahead()
            case StopServer():
                from pgpool_recovery.agent.server.start import stop_server

                return stop_server(request, self._stop, self._say)
            case AskRunning():
                from pgpool_recovery.agent.server.running import ask_running

                return ask_running(request, self._stop, connect_s)
            case FindLog():
                from pgpool_recovery.agent.server.start_log import find_log

                return find_log(request, log_before)
            case ReadLog(log):
                from pgpool_recovery.agent.server.start_log import last_lines

                return last_lines(log)
            case ReadSlotName(data_directory):
                from pgpool_recovery.agent.server.start import slot_name

                return slot_name(Path(data_directory).resolve(), self._stop)
            case DropFormerSlots():
                from pgpool_recovery.agent.server.former_slots import drop_former_slots_of

                return drop_former_slots_of(request, connect_s)
            case MakeIndependent():
                from pgpool_recovery.agent.server.independent import make_independent

                return make_independent(request, self._stop, connect_s)

    def _start(self, request: Start) -> Started:
        """Start a server, and fetch WAL ahead for it until it is accepted or stopped."""
        from pgpool_recovery.agent.ahead.setting import put_right
        from pgpool_recovery.agent.server.start import start

        self._guard.watch(request)
        put_right(Path(request.data_directory).resolve(), self._say)
        if request.ahead is not None and self._ahead is None:
            from pgpool_recovery.agent.ahead.fetch import begin_ahead

            self._ahead = begin_ahead(request.ahead, request.data_directory, self._say)
        try:
            return start(request, self._stop, self._say)
        except BaseException:
            self._end_ahead()
            raise

    def _end_ahead(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.end()

    def settle(self, connect_s: float) -> bool:
        """Stop the server that was started and not believed; return whether it was stopped."""
        # What no request has created needs no settling, and is not imported for that.
        try:
            return "_guard" in vars(self) and self._guard.settle(connect_s)
        finally:
            self._end_ahead()
