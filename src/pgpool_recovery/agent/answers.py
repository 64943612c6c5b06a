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
from pgpool_recovery.talk.request.blocks import (
    CloseChannel,
    ListFiles,
    OpenChannel,
    ReceiveBlocks,
    SeeFileBackup,
    SendFiles,
    StartFileBackup,
    StopFileBackup,
)
from pgpool_recovery.talk.request.directory import (
    AskState,
    DigestWal,
    DiscardOld,
    IsTidy,
    Observe,
    ReadBase,
    Tidy,
)
from pgpool_recovery.talk.request.host import (
    AskArchive,
    AskConfinement,
    LookAround,
    LookForBackup,
    LookForPrograms,
    TryArchive,
    TryLogins,
    TryPeers,
)
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
    Start,
    Started,
    StopAtOnce,
    StopServer,
)
from pgpool_recovery.talk.request.steps import (
    AbortIncremental,
    ApplyIncremental,
    AskMade,
    BeginDelta,
    BeginIncremental,
    CommitDelta,
    Expect,
    Finish,
    TakeStep,
    Undo,
    WriteLabel,
)

if TYPE_CHECKING:
    from pgpool_recovery.agent.ahead.fetch import Ahead
    from pgpool_recovery.agent.channel.receiving import ReceivingEnd
    from pgpool_recovery.agent.channel.sending import SendingEnd
    from pgpool_recovery.agent.directory.own_login import OwnLogin
    from pgpool_recovery.agent.server.file_backup import BackupSession
    from pgpool_recovery.agent.server.probation import Guard
    from pgpool_recovery.agent.server.standby import StandbyLook
    from pgpool_recovery.agent.steps import Steps

ROOM = "pgpool_recovery.agent"
ALWAYS = (f"{ROOM}.directory.configuration", f"{ROOM}.directory.swap")
"""What the first requests of both stages of a recovery need."""
CLIENT = ("psycopg",)
"""What they log in with: the first stage to the primary, the second to the target's own server."""
STEPS = (f"{ROOM}.observe.login", f"{ROOM}.steps")
"""What is needed next after a target was tidied up, because it is then recovered."""
STANDBY = (f"{ROOM}.server.standby", f"{ROOM}.server.former_slots")
"""What is needed next after a server was started, because its standby state is then queried."""


class Answers:
    """Answers the requests of one conversation, and keeps what later ones need."""

    def __init__(self, stop: Stop, emit: Callable[[Event], None]) -> None:
        self.limits = Limits()
        """The time limits, which the runner sends in its first line."""
        self._stop = stop
        self._emit = emit
        self._receiving: ReceivingEnd | None = None
        self._ahead: Ahead | None = None

    @cached_property
    def _own_login(self) -> "OwnLogin":
        from pgpool_recovery.agent.directory.own_login import OwnLogin

        return OwnLogin()

    @cached_property
    def _look(self) -> "StandbyLook":
        from pgpool_recovery.agent.server.standby import StandbyLook

        return StandbyLook()

    @cached_property
    def _guard(self) -> "Guard":
        from pgpool_recovery.agent.server.probation import Guard

        return Guard()

    @cached_property
    def _steps(self) -> "Steps":
        from pgpool_recovery.agent.steps import Steps

        return Steps(self._stop, self._emit, self._own_login)

    @cached_property
    def _channel(self) -> "SendingEnd":
        from pgpool_recovery.agent.channel.sending import SendingEnd

        return SendingEnd(self._stop, self._emit)

    def receive(self, read_end: int, write_end: int) -> None:
        """Receive blocks until the end, after that was asked for and permitted."""
        if self._receiving is not None:
            self._receiving.run(read_end, write_end, self._stop)

    @cached_property
    def _backup(self) -> "BackupSession":
        from pgpool_recovery.agent.server.file_backup import BackupSession

        return BackupSession()

    def take_back(self) -> TargetState | None:
        """At the end, settle what was started, and undo what was not finished.

        Return the state in which that leaves the target; None if there was nothing to undo.
        """
        state = None
        self._end_ahead()
        if "_channel" in vars(self):
            self._channel.close()
        if "_backup" in vars(self):
            self._backup.close()
        # What no request has created needs no settling, and is not imported for that.
        if "_guard" in vars(self) and self._guard.settle(self.limits.connect_s):
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
        match request:
            case Weigh(text):
                return len(text)
            case (
                Tidy() | IsTidy() | AskState() | Observe() | DigestWal() | ReadBase() | DiscardOld()
            ):
                return self._of_directory(request)
            case (
                LookAround()
                | AskConfinement()
                | TryLogins()
                | TryPeers()
                | LookForBackup()
                | LookForPrograms()
                | AskArchive()
                | TryArchive()
            ):
                return self._of_host(request)
            case (
                BeginIncremental()
                | ApplyIncremental()
                | AbortIncremental()
                | WriteLabel()
                | AskMade()
                | BeginDelta()
                | Expect()
                | CommitDelta()
                | TakeStep()
                | Undo()
                | Finish()
            ):
                return self._of_steps(request)
            case (
                OpenChannel()
                | ListFiles()
                | SendFiles()
                | CloseChannel()
                | ReceiveBlocks()
                | StartFileBackup()
                | SeeFileBackup()
                | StopFileBackup()
            ):
                return self._of_blocks(request)
            case (
                Start()
                | Believe()
                | AskStandby()
                | AskSource()
                | StopAtOnce()
                | StopServer()
                | AskRunning()
                | FindLog()
                | ReadLog()
                | ReadSlotName()
                | DropFormerSlots()
                | MakeIndependent()
            ):
                return self._of_server(request)
        raise AssertionError(request)

    def _of_directory(
        self, request: Tidy | IsTidy | AskState | Observe | DigestWal | ReadBase | DiscardOld
    ) -> Any:
        match request:
            case Observe():
                from pgpool_recovery.agent.observe.target import observe

                return observe(request, self._stop, self._own_login)
            case ReadBase():
                from pgpool_recovery.agent.observe.target import read_local_wal

                return read_local_wal(request, self._stop)
            case DigestWal(data_directory, parts):
                from pgpool_recovery.agent.directory.own_wal import digests

                return digests(Path(data_directory).resolve(), parts)
            case AskState(data_directory):
                from pgpool_recovery.agent.directory.state import see_state

                return see_state(Path(data_directory).resolve())
        from pgpool_recovery.agent.directory import swap

        data = Path(request.data_directory).resolve()
        match request:
            case Tidy():
                import_ahead(STEPS)
                swap.tidy(data, self._stop.got_on)
                return self._put_back(data)
            case IsTidy():
                return swap.is_tidy(data)
            case DiscardOld():
                return swap.discard_old(data, self._stop.got_on)

    def _of_host(
        self,
        request: LookAround
        | AskConfinement
        | TryLogins
        | TryPeers
        | LookForBackup
        | LookForPrograms
        | AskArchive
        | TryArchive,
    ) -> Any:
        match request:
            case LookAround():
                from pgpool_recovery.agent.observe.surroundings import look_around

                return look_around(request, self.limits.connect_s)
            case AskConfinement(data_directory):
                from pgpool_recovery.agent.observe.surroundings import confinement_of_server

                return confinement_of_server(Path(data_directory).resolve())
            case TryLogins():
                from pgpool_recovery.agent.observe.login import try_logins

                return try_logins(request, self._stop, self._own_login, self.limits.connect_s)
            case TryPeers():
                from pgpool_recovery.agent.observe.peer_trials import try_peers

                return try_peers(request, self._stop, self._own_login, self.limits)
            case LookForBackup(stanza, timeout_s, archive_s):
                from pgpool_recovery.agent.method.restore import observe_repository

                return observe_repository(
                    stanza, self._stop, timeout_s=timeout_s, archive_s=archive_s
                )
            case LookForPrograms(programs):
                from pgpool_recovery.agent.method.command import look_for_programs

                return look_for_programs(programs)
            case AskArchive():
                from pgpool_recovery.agent.observe.archived_history import ask_archive

                return ask_archive(request, self._stop)
            case TryArchive():
                from pgpool_recovery.agent.observe.archived_wal import try_archive

                return try_archive(request, self._stop)

    def _of_steps(  # noqa: C901 - one case for each request
        self,
        request: BeginIncremental
        | ApplyIncremental
        | AbortIncremental
        | WriteLabel
        | AskMade
        | BeginDelta
        | Expect
        | CommitDelta
        | TakeStep
        | Undo
        | Finish,
    ) -> Any:
        match request:
            case BeginIncremental():
                return self._steps.begin_incremental(request, self.limits)
            case ApplyIncremental(step):
                return self._steps.apply_incremental(step)
            case AbortIncremental():
                return self._steps.abort_incremental()
            case WriteLabel(directory, label):
                from pgpool_recovery.agent.method.made_directory import write_label

                return write_label(Path(directory), label)
            case AskMade(wanted):
                return self._steps.see_made(wanted)
            case BeginDelta():
                return self._steps.begin_delta(request)
            case Expect():
                return self._steps.expect(request)
            case CommitDelta():
                return self._steps.commit_delta(request)
            case TakeStep(step, stall_s):
                return self._steps.take(step, stall_s, self.limits.connect_s)
            case Undo():
                return self._steps.undo()
            case Finish():
                return self._steps.finish()

    def _of_blocks(
        self,
        request: OpenChannel
        | ListFiles
        | SendFiles
        | CloseChannel
        | ReceiveBlocks
        | StartFileBackup
        | SeeFileBackup
        | StopFileBackup,
    ) -> Any:
        match request:
            case StartFileBackup():
                return self._backup.start(request, self.limits.connect_s)
            case SeeFileBackup():
                return self._backup.see()
            case StopFileBackup():
                return self._backup.stop()
            case OpenChannel():
                return self._channel.begin(request)
            case ListFiles():
                return self._channel.list(request)
            case SendFiles():
                return self._channel.send(request)
            case CloseChannel():
                return self._channel.close()
            case ReceiveBlocks():
                from pgpool_recovery.agent.channel.receiving import ReceivingEnd

                self._receiving = ReceivingEnd(request)
                return self._receiving.compresses

    def _of_server(  # noqa: C901 - one case for each request
        self,
        request: Start
        | Believe
        | AskStandby
        | AskSource
        | StopAtOnce
        | StopServer
        | AskRunning
        | FindLog
        | ReadLog
        | ReadSlotName
        | DropFormerSlots
        | MakeIndependent,
    ) -> Any:
        match request:
            case Start():
                import_ahead(STANDBY)
                return self._start(request)
            case Believe():
                self._end_ahead()
                return self._guard.believe()
            case AskStandby():
                return self._look.take(request, self._stop, self.limits.connect_s)
            case AskSource():
                from pgpool_recovery.agent.server.source import see_source

                return see_source(request, self._look, self._stop, self.limits.connect_s)
            case StopAtOnce():
                from pgpool_recovery.agent.server.probation import stop_at_once

                self._end_ahead()
                return stop_at_once(request, self._stop)
            case StopServer():
                from pgpool_recovery.agent.server.start import stop_server

                return stop_server(request, self._stop, self._say)
            case AskRunning():
                from pgpool_recovery.agent.server.running import ask_running

                return ask_running(request, self._stop, self.limits.connect_s)
            case FindLog():
                from pgpool_recovery.agent.server.start_log import find_log

                return find_log(request, self._log_before)
            case ReadLog(log):
                from pgpool_recovery.agent.server.start_log import last_lines

                return last_lines(log)
            case ReadSlotName(data_directory):
                from pgpool_recovery.agent.server.start import slot_name

                return slot_name(Path(data_directory).resolve(), self._stop)
            case DropFormerSlots():
                from pgpool_recovery.agent.server.former_slots import drop_former_slots_of

                return drop_former_slots_of(request, self.limits.connect_s)
            case MakeIndependent():
                from pgpool_recovery.agent.server.independent import make_independent

                return make_independent(request, self._stop, self.limits.connect_s)

    def _start(self, request: Start) -> Started:
        """Start a server, and fetch WAL ahead for it until it is accepted or stopped."""
        from pgpool_recovery.agent.server.start import start

        self._guard.watch(request)
        self._put_back(Path(request.data_directory).resolve())
        if request.ahead is not None:
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

    def _put_back(self, data: Path) -> None:
        """Set the restore_command again that a server had before WAL was fetched ahead for it."""
        from pgpool_recovery.agent.ahead.setting import has_put_back
        from pgpool_recovery.agent.directory.configuration import is_trusted

        if is_trusted(data) and (data / "pg_wal").is_dir() and has_put_back(data, self._say):
            self._say("restore_command is again what it was before an interrupted recovery")

    @property
    def _log_before(self) -> LogPosition | None:
        return self._steps.log_before if "_steps" in vars(self) else None

    def _say(self, line: str) -> None:
        self._emit(Said("agent", line))


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
