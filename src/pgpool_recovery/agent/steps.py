"""Take a plan's steps on the target, and undo them.

The modules of a method are imported with its first step, since a run uses only one method.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pgpool_recovery.agent.directory import past, swap
from pgpool_recovery.agent.directory.journal import Journal
from pgpool_recovery.agent.directory.own_files import (
    keep_own_files,
    own_directory,
    withdraw_own_files,
)
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
from pgpool_recovery.domain.directory_state import (
    Change,
    Changed,
    Changing,
    Lead,
    LeftAlone,
    target_state,
)
from pgpool_recovery.domain.error import (
    Busy,
    Filled,
    Incomplete,
    NoRoom,
    RecoveryError,
    Refused,
    Undone,
)
from pgpool_recovery.domain.event import Emit, Moved, Said
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.facts.policy import Method, kilobytes
from pgpool_recovery.facts.step import (
    CheckMade,
    Clone,
    ConfigureStandby,
    CopyBaseBackup,
    Delta,
    DiscardWaiting,
    Incremental,
    KeepToPast,
    PutInPlace,
    PutOldBack,
    RemoveOld,
    Repoint,
    RepointRunning,
    Reserve,
    RestoreBackup,
    Rewind,
    RunCommand,
    SwapIn,
    TakeOut,
    TargetStep,
)
from pgpool_recovery.host.meter import Meter
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.host.system_failure import FULL
from pgpool_recovery.postgres.wal_stream import WalSource
from pgpool_recovery.talk.protocol import (
    BeginDelta,
    BeginIncremental,
    CommitDelta,
    DeltaBegun,
    Expect,
    FindLog,
    Limits,
    LogPosition,
    Made,
    Observe,
)

if TYPE_CHECKING:
    from pgpool_recovery.agent.method.delta import DeltaWrite
    from pgpool_recovery.agent.method.incremental.backup import IncrementalBackup


OF_A_STOPPED_SERVER = (PutOldBack, RemoveOld, SwapIn, Repoint, TakeOut)
"""Steps that change what is at the path where a server would have its data."""


def needs_stopped(step: TargetStep) -> bool:
    """Return whether a step must not be taken while a server runs.

    Adding WAL to that of a standby is harmless: repoint does so while the server is running.
    """
    return isinstance(step, OF_A_STOPPED_SERVER) or (
        isinstance(step, KeepToPast) and bool(step.moved)
    )


def changes_files(step: TargetStep) -> bool:
    """Return whether a step writes into the files that the node has, or into a clone of them."""
    return isinstance(step, Rewind | Incremental | RestoreBackup | Delta) or (
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
        self._backup: IncrementalBackup | None = None
        self._removal = Meter(emit)
        self._made_end: Point | None = None
        """Where the base backup ended that a command has restored, if it says so."""
        self._delta: DeltaWrite | None = None

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
            self._see_files(step)
            self._take(step, self._reserved(), stall_s, connect_s)
        return target_state(self._reserved().state)

    def _see_files(self, step: TargetStep) -> None:
        """Make sure that a step which changes files finds each as it is, by one name and on disk.

        Raises Refused if it would change two files by writing into one.
        """
        from pgpool_recovery.agent.method.cached import forget_cached
        from pgpool_recovery.agent.method.names import check_names

        if not changes_files(step):
            return
        data = Path(step.places.data.new)
        check_names(data, self._got_on)
        if isinstance(self._reserved().state, Changing):
            forget_cached(data, self._got_on)

    def _got_on(self) -> None:
        self._stop.check()
        self._stop.got_on()

    def _take(  # noqa: C901 - one case for each step
        self, step: TargetStep, journal: Journal, stall_s: float, connect_s: float
    ) -> None:
        if isinstance(step, ConfigureStandby | Repoint | RepointRunning):
            _note_former_slot(step, journal)
        match step:
            case DiscardWaiting():
                swap.discard_waiting(journal)
            case PutOldBack():
                swap.put_waiting_back(journal)
            case RemoveOld(places):
                swap.remove_old_data(journal, places)
            case CopyBaseBackup():
                self._copy(step, journal, stall_s, connect_s)
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
                self._rewind(step, journal, connect_s)
            case RestoreBackup():
                self._restore(step, journal, stall_s)
            case RunCommand():
                self._run_command(step, journal)
            case CheckMade(_, method):
                if method.keep_data:
                    journal.take(Changed())
            case PutInPlace(places):
                swap.put_data_in(journal, places.data)

    def _copy(
        self, step: CopyBaseBackup, journal: Journal, stall_s: float, connect_s: float
    ) -> None:
        """Copy everything; what has arrived when that fails is kept, but not on a full disk."""
        from pgpool_recovery.agent.directory.entry import Copy
        from pgpool_recovery.agent.method.base_backup.copy import copy_base_backup
        from pgpool_recovery.postgres.backup_stream import StreamLimits

        layout = {place.path: place.new for place in step.places.all()}
        journal.note_copy(Copy(step.system_identifier, int(time.time()), layout))
        limits = StreamLimits(connect_s, stall_s, stall_s)
        try:
            copy_base_backup(step, self._own_login, self._stop, self._emit, limits)
        except (NoRoom, OSError) as error:
            if isinstance(error, NoRoom) or error.errno in FULL:
                swap.forget_copy(journal)
            raise

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

    def _reserved(self) -> Journal:
        """Return the journal of the target that was reserved."""
        if self._journal is None:
            raise Refused("no target was reserved")
        return self._journal

    def begin_incremental(self, request: BeginIncremental, limits: Limits) -> Point:
        """Make the primary begin the backup, and return the position at which it starts."""
        from pgpool_recovery.agent.method.incremental.begin import BackupRequest, begin_backup
        from pgpool_recovery.postgres.backup_stream import StreamLimits

        step = request.step
        self._see_files(step)
        conninfo = {**step.conninfo, "application_name": step.slot_name}
        self._backup = begin_backup(
            BackupRequest(
                data_directory=Path(step.places.data.new),
                bin_directory=Path(step.bin_directory),
                conninfo=self._own_login.whole(conninfo),
                left_out=request.left_out,
                locations=step.locations,
                max_rate_kb=None if step.max_rate is None else kilobytes(step.max_rate),
                compression=step.compression,
                workers=step.workers,
                limits=StreamLimits(limits.connect_s, limits.backup_start_s, limits.silence_s),
            ),
            self._stop,
        )
        return self._backup.start

    def apply_incremental(self, step: Incremental) -> TargetState:
        """Write the backup onto the directory; return the state of the target after that."""
        backup, self._backup = self._backup, None
        if backup is None:
            raise Refused("no incremental base backup was begun")
        journal = self._reserved()
        journal.take(Change(Method.INCREMENTAL))
        meter = Meter(self._emit)
        try:
            applied = backup.apply(verify_pages=step.verifies_pages, on_progress=meter.tell)
        except RecoveryError as error:
            if (
                error.target is TargetState.UNTOUCHED
            ):  # The guard was not set, so nothing was changed.
                journal.take(LeftAlone())
            raise
        journal.take(Changed())
        counts = applied.counts
        self._emit(Moved(counts.bytes_received))
        self._emit(
            Said(
                "agent",
                f"{pretty_size(counts.bytes_received)} received; {counts.blocks_written} blocks "
                f"and {counts.files_whole} whole files written, {applied.files_removed} removed",
            )
        )
        return target_state(journal.state)

    def abort_incremental(self) -> None:
        """Abort the backup if one was begun."""
        backup, self._backup = self._backup, None
        if backup is not None:
            backup.abort()

    def begin_delta(self, request: BeginDelta) -> DeltaBegun:
        """Guard the directory, and return where receivers may write from now on."""
        from pgpool_recovery.agent.method.delta import DeltaWrite

        journal = self._reserved()
        self._see_files(request.step)
        if request.step.is_whole:
            return self._begin_whole(request, journal)
        delta = DeltaWrite(request, journal.workspace, self._stop)
        journal.take(Change(Method.DELTA))
        try:
            target = delta.begin()
        except RecoveryError as error:
            if error.target is TargetState.UNTOUCHED:
                journal.take(LeftAlone())
            raise
        self._delta = delta
        return DeltaBegun(target, processors=os.cpu_count() or 1)

    def _begin_whole(self, request: BeginDelta, journal: Journal) -> DeltaBegun:
        """Go on from what an interrupted full copy left, beside the data, which is not touched."""
        from pgpool_recovery.agent.method.delta import DeltaWrite
        from pgpool_recovery.agent.method.partial_copy import make_whole

        if journal.copy is None:
            raise Refused("what an earlier run had copied is gone", hint="Recover the node again.")
        make_whole(request.step.places, self._stop)
        delta = DeltaWrite(request, journal.workspace, self._stop)
        try:
            target = delta.begin()
        except RecoveryError as error:
            raise _beside(error, journal) from error
        self._delta = delta
        return DeltaBegun(target, processors=os.cpu_count() or 1)

    def expect(self, request: Expect) -> None:
        """Remember what receivers will have written when they are done."""
        self._begun_delta().expect(request)

    def commit_delta(self, request: CommitDelta) -> TargetState:
        """Make the directory one that a standby can start in; return the state of the target."""
        journal, delta = self._reserved(), self._begun_delta()
        self._delta = None
        if request.step.is_whole:
            try:
                removed = delta.commit(request, self._emit)
            except RecoveryError as error:
                raise _beside(error, journal) from error
        else:
            removed = delta.commit(request, self._emit)
            journal.take(Changed())
        self._emit(Said("agent", f"{removed} files removed that the source does not have"))
        return target_state(journal.state)

    def _begun_delta(self) -> "DeltaWrite":
        if self._delta is None:
            raise Refused("no comparison of blocks was begun")
        return self._delta

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

    def _restore(self, step: RestoreBackup, journal: Journal, stall_s: float) -> None:
        from pgpool_recovery.agent.method.restore import restore_backup

        journal.take(Change(Method.RESTORE))
        withdraw_own_files(Path(step.restoration.directory))
        restore_backup(
            step.restoration, step.bin_directory, self._stop, self._emit, stall_s=stall_s
        )
        journal.take(Changed())

    def _rewind(self, step: Rewind, journal: Journal, connect_s: float) -> None:
        from pgpool_recovery.agent.method.rewind import Untouched, rewind

        journal.take(Change(Method.REWIND))
        try:
            rewind(step, self._own_login, self._stop, self._emit, connect_s)
        except Untouched as untouched:
            journal.take(LeftAlone())
            raise untouched.error from untouched
        journal.take(Changed())

    def _run_command(self, step: RunCommand, journal: Journal) -> None:
        from pgpool_recovery.agent.method.command import CouldNot, run_command

        keeps_data = step.method.keep_data
        if keeps_data:
            journal.take(Change(Method.COMMAND))
        try:
            self._made_end = run_command(step, self._own_login, self._stop, self._emit)
        except CouldNot as unchanged:
            if keeps_data:
                new = Path(step.places.data.new)
                keep_own_files(own_directory(Path(step.places.data.path)), new)
                journal.take(LeftAlone())
            raise unchanged.error from unchanged

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
        self.abort_incremental()
        self._delta = None
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


def _beside(error: RecoveryError, journal: Journal) -> RecoveryError:
    """Return the failure to write a copy: the data that it is beside is as it was."""
    kinds: dict[type[RecoveryError], type[RecoveryError]] = {Incomplete: Undone, Filled: NoRoom}
    kind, state = kinds.get(type(error), type(error)), target_state(journal.state)
    return kind(error.message, detail=error.detail, hint=error.hint, target=state)


def _note_former_slot(step: ConfigureStandby | Repoint | RepointRunning, journal: Journal) -> None:
    """Record from which slot the old server streams, before any file names another one."""
    if step.former_slot_name is not None:
        journal.note_former_slot(step.former_slot_name)


def _lead_back(before: Before, data: Path) -> None:
    before.restore()
    reload(data)
