"""Take a plan's steps on the target, and undo them.

The modules of a method are imported with its first step, since a run uses only one method.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pgpool_recovery.agent.directory import past, swap
from pgpool_recovery.agent.directory.journal import Journal
from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.directory.spare import drop_spare
from pgpool_recovery.agent.method.make_standby import (
    Before,
    before_repoint,
    configure_standby,
    leading_settings,
    repoint,
    repoint_running,
)
from pgpool_recovery.agent.server.running import reload, take_over
from pgpool_recovery.agent.server.start_log import find_log
from pgpool_recovery.agent.steps.delta import DeltaStep
from pgpool_recovery.agent.steps.incremental import IncrementalStep
from pgpool_recovery.agent.steps.see_files import see_files
from pgpool_recovery.agent.steps.transfer import Transfer
from pgpool_recovery.domain.directory_state import Changed, Lead, target_state
from pgpool_recovery.domain.error import Busy, RecoveryError, Refused
from pgpool_recovery.domain.event import Emit, Said
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.step.moving import (
    Clone,
    DiscardWaiting,
    PutInPlace,
    PutOldBack,
    RemoveOld,
    Reserve,
    SwapIn,
    TakeOut,
)
from pgpool_recovery.facts.step.standby import ConfigureStandby, KeepToPast, Repoint, RepointRunning
from pgpool_recovery.facts.step.step import TargetStep
from pgpool_recovery.facts.step.transfer import (
    CheckMade,
    CopyBaseBackup,
    RestoreBackup,
    Rewind,
    RunCommand,
)
from pgpool_recovery.host.meter import Meter
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.postgres.wal_stream import WalSource
from pgpool_recovery.talk.request.directory import Observe
from pgpool_recovery.talk.request.server import FindLog, LogPosition
from pgpool_recovery.talk.request.steps import Made

if TYPE_CHECKING:
    from pgpool_recovery.domain.wal import Point

OF_A_STOPPED_SERVER = (PutOldBack, RemoveOld, SwapIn, Repoint, TakeOut)
"""Steps that change what is at the path where a server would have its data."""


def needs_stopped(step: TargetStep) -> bool:
    """Return whether a step must not be taken while a server runs.

    Adding WAL to that of a standby is harmless: repoint does so while the server is running.
    """
    return isinstance(step, OF_A_STOPPED_SERVER) or (
        isinstance(step, KeepToPast) and bool(step.moved)
    )


def _changes_files(step: TargetStep) -> bool:
    """Return whether a step writes into the files that the node has, or into a clone of them.

    So do incremental and delta, which are begun by requests of their own.
    """
    return isinstance(step, Rewind | RestoreBackup) or (
        isinstance(step, RunCommand) and step.method.keep_data
    )


def see_stopped(data: Path) -> None:
    """Raise Refused if a server is running, since this was last checked before the lock was taken.

    Another recovery may have ended and started it in between, or a user may have.
    """
    server = read_pid_file(data)
    if server is not None:
        raise Refused(
            f"a server was started in {data} meanwhile",
            detail=f"Its process is {server.pid}. It is left running.",
        )


class Steps:
    """The steps that one run takes on this host; holds the lock of the target.

    Progress is recorded in the journal. How to undo the change of a file is only kept here, in the
    process that changed it. Until `finish` everything can be undone, except the removal of old
    data, and what a method has begun to change.
    """

    def __init__(self, stop: Stop, emit: Emit, own_login: OwnLogin) -> None:
        self._stop = stop
        self._own_login = own_login
        self._emit = emit
        self.log_before: LogPosition | None = None
        """Where the log of a server ended before it was pointed at another primary."""
        self._journal: Journal | None = None
        self._wanted: Path | None = None
        """The data directory to be reserved; an earlier run may have left it half changed."""
        self._reversals: list[Callable[[], None]] = []
        """What undoes the changes of files; the last one is undone first."""
        self._removal = Meter(emit)
        self._made_end: Point | None = None
        """Where the base backup ended that a command has restored, if it says so."""
        self.incremental = IncrementalStep(stop, emit, own_login)
        self.delta = DeltaStep(stop, emit)

    @property
    def has_begun(self) -> bool:
        """Whether `undo` would have something to undo or to report."""
        return self._journal is not None or self._wanted is not None

    @property
    def directory(self) -> Path | None:
        """The data directory that was reserved."""
        return None if self._journal is None else Path(self._journal.places[-1].path)

    def take(self, step: TargetStep, stall_s: float, connect_s: float) -> TargetState:
        """Take one step; return the state of the target after it."""
        if needs_stopped(step):
            see_stopped(Path(step.places.data.path))
        if isinstance(step, Reserve):
            self._reserve(step)
        else:
            self._removal = Meter(self._emit, getattr(step, "size_bytes", 0))
            if _changes_files(step):
                see_files(Path(step.places.data.new), self.reserved(), self._stop)
            self._take(step, self.reserved(), stall_s, connect_s)
        return target_state(self.reserved().state)

    def _take(  # noqa: C901 - one case for each step
        self, step: TargetStep, journal: Journal, stall_s: float, connect_s: float
    ) -> None:
        if isinstance(step, ConfigureStandby | Repoint | RepointRunning):
            _note_former_slot(step, journal)
        transfer = Transfer(journal, self._own_login, self._stop, self._emit)
        match step:
            case DiscardWaiting():
                swap.discard_waiting(journal)
            case PutOldBack():
                swap.put_waiting_back(journal)
            case RemoveOld(places):
                swap.remove_old_data(journal, places)
            case CopyBaseBackup():
                transfer.copy(step, stall_s=stall_s, connect_s=connect_s)
            case ConfigureStandby():
                configure_standby(step, self._own_login, self._stop, self._said("agent"))
            case SwapIn(places):
                swap.swap(journal, places)
            case Repoint():
                self._repoint(step, journal)
            case KeepToPast():
                self._keep_to_past(step, journal, connect_s)
            case RepointRunning():
                self._repoint_running(step, journal, connect_s)
            case Clone(places):
                from pgpool_recovery.agent.directory.clone import clone

                clone(places, self._stop)
            case TakeOut(places):
                swap.take_data_out(journal, places.data)
            case Rewind():
                transfer.rewind(step, connect_s=connect_s)
            case RestoreBackup():
                transfer.restore(step, stall_s=stall_s)
            case RunCommand():
                self._made_end = transfer.run_command(step)
            case CheckMade(_, method):
                if method.keep_data:
                    journal.take(Changed())
            case PutInPlace(places):
                swap.put_data_in(journal, places.data)

    def _reserve(self, step: Reserve) -> None:
        self._wanted = Path(step.places.data.path)
        try:
            self._journal = swap.reserve(step.places, self._freed, keeps_copy=step.keeps_copy)
        except Busy:
            self._wanted = None  # Its state is reported by the recovery that holds the lock.
            raise

    def _freed(self, count: int) -> None:
        """Take how much was removed; whatever is removed, terabytes take their time."""
        self._stop.got_on()
        self._removal.add(count)

    def reserved(self) -> Journal:
        """Return the journal of the target that was reserved; raise Refused if none was."""
        if self._journal is None:
            raise Refused("no target was reserved")
        return self._journal

    def _keep_to_past(self, step: KeepToPast, journal: Journal, connect_s: float) -> None:
        conninfo, moved = self._own_login.whole(step.conninfo), past.begin(step)
        source = WalSource(conninfo, connect_s=connect_s, check=self._stop.check)
        if step.directory == step.places.data.path:
            journal.take(Lead())
        self._reversals.append(moved.restore)
        if step.archive is None:
            past.keep_to_past(step, source, moved)
            return
        from pgpool_recovery.agent.observe.archived_wal import ArchiveSource

        data = Path(step.directory)
        archive = ArchiveSource(step.archive, data, step.segment_bytes, self._stop)
        past.keep_to_past(step, source, moved, archive.segment)

    def _repoint(self, step: Repoint, journal: Journal) -> None:
        before = before_repoint(step, self._stop)
        journal.take(Lead())
        self._reversals.append(before.restore)  # A failure half way is undone, too.
        repoint(step, self._own_login, self._stop, self._said("agent"))

    def _repoint_running(self, step: RepointRunning, journal: Journal, connect_s: float) -> None:
        data = Path(step.places.data.path)
        settings = leading_settings(step, self._own_login)
        self.log_before = find_log(FindLog(str(data)))
        before = before_repoint(step, self._stop)
        journal.take(Lead())
        self._reversals.append(before.restore)
        repoint_running(step, self._own_login, self._stop, self._said("agent"))
        # From here on the server follows, and may be on the primary's timeline. So the WAL and the
        # history files that were written for it stay, and a second reload points it back.
        self._reversals[:] = [lambda: _lead_back(before, data)]
        take_over(data, step.login, settings, self._stop, connect_s)

    def see_made(self, wanted: Observe) -> Made:
        """Return the facts about what a command has made, before it is known to be sound.

        The login in its files, if there is one, is that of the node that was backed up.
        """
        from pgpool_recovery.agent.method.made_directory import manifest_end
        from pgpool_recovery.agent.observe.target import observe

        facts, end = observe(wanted, self._stop, OwnLogin()), self._made_end
        if end is None and facts.backup_start is not None:
            end = manifest_end(Path(wanted.data_directory), facts.backup_start)
        return Made(facts, end)

    def undo(self) -> TargetState:
        """Undo what was done, and return the state of the target after that.

        If this fails, the target stays locked, and it can be called again: each effect can be
        repeated, and what has been undone is not undone twice.
        """
        self.incremental.abort()
        self.delta.forget()
        journal = self._journal
        if journal is None:
            return _standing(self._wanted)
        drop_spare(journal.workspace)  # This reserve of disk space is kept for an undo.
        while self._reversals:
            self._reversals[-1]()
            self._reversals.pop()
        state = target_state(swap.undo(journal))
        journal.note_former_slot(None)  # The old server may stream from it again.
        swap.rest(journal)
        self._tell_kept(journal)
        self._let_go()
        return state

    def _tell_kept(self, journal: Journal) -> None:
        if journal.copy is not None:
            size = pretty_size(swap.copied_bytes(journal))
            kept = f"what was copied, {size}, stays in {journal.places[-1].new}"
            self._emit(Said("agent", f"{kept} for the next attempt"))

    def finish(self) -> None:
        """Release the target; what was done stays, and so does what is in the workspace.

        What an earlier run had copied is of no use any more.
        """
        if self._journal is not None:
            swap.forget_copy(self._journal)
            swap.rest(self._journal)
            self._let_go()

    def _let_go(self) -> None:
        if self._journal is not None:
            self._journal.close()
        self._journal = self._wanted = None
        self._reversals.clear()

    def _said(self, program: str) -> Callable[[str], None]:
        return lambda line: self._emit(Said(program, line))


def _standing(data: Path | None) -> TargetState:
    """Return the state of a target that a run could not reserve, or never tried to."""
    if data is None:
        return TargetState.UNTOUCHED
    try:
        return target_state(swap.standing(data)[1])
    except (RecoveryError, OSError):
        return TargetState.UNKNOWN


def _note_former_slot(step: ConfigureStandby | Repoint | RepointRunning, journal: Journal) -> None:
    """Record from which slot the old server streams, before any file names another one."""
    if step.former_slot_name is not None:
        journal.note_former_slot(step.former_slot_name)


def _lead_back(before: Before, data: Path) -> None:
    before.restore()
    reload(data)
