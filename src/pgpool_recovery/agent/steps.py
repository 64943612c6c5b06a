"""Take the target's steps of a plan, and take them back."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pgpool_recovery.agent.directory import past, swap
from pgpool_recovery.agent.directory.clone import clone
from pgpool_recovery.agent.directory.own_files import withdraw_own_files
from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.directory.spare import drop_spare
from pgpool_recovery.agent.directory.workspace import has_old
from pgpool_recovery.agent.method.base_backup import copy_base_backup, verify_backup
from pgpool_recovery.agent.method.incremental.begin import BackupRequest, begin_backup
from pgpool_recovery.agent.method.make_standby import (
    Before,
    before_repoint,
    configure_standby,
    leading_settings,
    repoint,
    repoint_running,
)
from pgpool_recovery.agent.method.restore import restore_backup
from pgpool_recovery.agent.method.rewind import Untouched, rewind
from pgpool_recovery.agent.server.running import reload, take_over
from pgpool_recovery.agent.server.start_log import find_log
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.event import Emit, Moved, Said, megabytes
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.facts.policy import Method, kilobytes
from pgpool_recovery.facts.step import (
    FINISHED,
    Clone,
    ConfigureStandby,
    CopyBaseBackup,
    DiscardWaiting,
    Incremental,
    KeepToPast,
    Places,
    PutInPlace,
    PutOldBack,
    RemoveOld,
    Repoint,
    RepointRunning,
    Reserve,
    RestoreBackup,
    Rewind,
    SwapIn,
    TakeOut,
    TargetStep,
    VerifyBackup,
)
from pgpool_recovery.host.meter import Meter
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.postgres.incremental_stream import StreamLimits as BackupLimits
from pgpool_recovery.postgres.wal_stream import WalSource
from pgpool_recovery.talk.protocol import BeginIncremental, FindLog, Limits, LogPosition

if TYPE_CHECKING:
    from pgpool_recovery.agent.method.incremental.backup import IncrementalBackup


OF_A_STOPPED_SERVER = (PutOldBack, RemoveOld, SwapIn, Repoint, TakeOut)
"""Steps that change what stands where a server would have its data."""


def needs_stopped(step: TargetStep) -> bool:
    """Say whether a step may not be taken while a server runs.

    WAL that is only added to a standby's is no harm: repoint does that below a server that runs.
    """
    return isinstance(step, OF_A_STOPPED_SERVER) or (
        isinstance(step, KeepToPast) and bool(step.moved)
    )


def see_stopped(data: Path) -> None:
    """Raise Refused when a server runs: it was looked at before the lock was taken.

    Another recovery may have ended in between, and started it; or somebody by hand.
    """
    server = read_pid_file(data)
    if server is not None:
        raise Refused(
            f"a server was started in {data} meanwhile",
            detail=f"Its process is {server.pid}. It is left running.",
        )


class Steps:
    """The steps that one run has taken on this host; owns the lock of the target.

    Everything can be undone until `finish`, but for old data that was removed.
    """

    def __init__(self, stop: Stop, emit: Emit, own_login: OwnLogin) -> None:
        self._stop = stop
        self._own_login = own_login
        self._emit = emit
        self.log_before: LogPosition | None = None
        """Where the log of a server ended before it was led to another primary."""
        self._forget()

    def _forget(self) -> None:
        self._places: Places | None = None
        self._lock = -1
        self._was_empty: Mapping[str, bool] | None = None
        self._before: Before | None = None
        self._has_reloaded = False
        self._moved: past.MovedWal | None = None
        self._backup: IncrementalBackup | None = None
        self._has_put_back = False
        self._has_removed_old = False
        self._is_whole_anew = False

    @property
    def has_begun(self) -> bool:
        """Whether there is something that `undo` would take back."""
        return self._places is not None

    @property
    def directory(self) -> Path | None:
        """The data directory that was reserved."""
        return None if self._places is None else Path(self._places.data.path)

    def take(  # noqa: C901 - one case for each step
        self, step: TargetStep, stall_s: float, connect_s: float
    ) -> None:
        """Take one step."""
        if needs_stopped(step):
            see_stopped(Path(step.places.data.path))
        match step:
            case Reserve(places):
                self._lock = swap.reserve(places)
                self._places = places
            case DiscardWaiting(places):
                swap.discard_waiting(Path(places.data.workspace))
            case PutOldBack(places):
                try:
                    swap.put_waiting_back(Path(places.data.workspace))
                finally:
                    self._has_put_back = not has_old(places.data)
            case RemoveOld(places):
                self._has_removed_old = True
                swap.remove_old_data(places)
            case CopyBaseBackup():
                copy_base_backup(step, self._own_login, self._stop, self._said("pg_basebackup"))
            case VerifyBackup():
                verify_backup(step, self._stop, self._said("pg_verifybackup"))
            case ConfigureStandby():
                configure_standby(step, self._own_login, self._stop, self._said("agent"))
            case SwapIn(places):
                self._was_empty = swap.empty_places(places)
                swap.swap(places)
            case Repoint():
                self._before = before_repoint(
                    step, self._stop
                )  # What fails half way is taken back, too.
                repoint(step, self._own_login, self._stop, self._said("agent"))
            case KeepToPast():
                self._keep_to_past(step, connect_s)
            case RepointRunning():
                self._repoint_running(step, connect_s)
            case Clone(places):
                clone(places, self._stop)
            case TakeOut(places):
                swap.take_data_out(places.data)
            case Rewind():
                self._rewind(step, connect_s)
            case RestoreBackup():
                self._restore(step, stall_s)
            case PutInPlace(places):
                self._is_whole_anew = True
                swap.put_taken_in_place(places.data)

    def begin_incremental(self, request: BeginIncremental, limits: Limits) -> Point:
        """Have the primary begin the backup, and return where it starts."""
        step = request.step
        conninfo = {**step.conninfo, "application_name": step.slot_name}
        self._backup = begin_backup(
            BackupRequest(
                data_directory=Path(step.places.data.new),
                bin_directory=Path(step.bin_directory),
                conninfo=self._own_login.whole(conninfo),
                left_out=request.left_out,
                locations=step.locations,
                max_rate_kb=None if step.max_rate is None else kilobytes(step.max_rate),
                limits=BackupLimits(limits.connect_s, limits.backup_start_s, limits.silence_s),
            ),
            self._stop,
        )
        return self._backup.start

    def apply_incremental(self, step: Incremental) -> None:
        """Write the backup onto the directory."""
        backup, self._backup = self._backup, None
        if backup is None:
            raise Refused("no incremental base backup was begun")
        workspace = Path(step.places.data.workspace)
        swap.mark_changing(workspace, Method.INCREMENTAL)
        meter = Meter(self._emit)
        counts = backup.apply(verify_pages=step.verifies_pages, on_progress=meter.tell).counts
        swap.mark_changing(workspace, FINISHED)
        self._emit(Moved(counts.bytes_received))
        self._emit(
            Said(
                "agent",
                f"{megabytes(counts.bytes_received)} received; {counts.blocks_written} blocks and "
                f"{counts.files_whole} whole files written, {counts.files_removed} removed",
            )
        )

    def abort_incremental(self) -> None:
        """Give up the backup that was begun."""
        backup, self._backup = self._backup, None
        if backup is not None:
            backup.abort()

    def _keep_to_past(self, step: KeepToPast, connect_s: float) -> None:
        conninfo, self._moved = self._own_login.whole(step.conninfo), past.begin(step)
        source = WalSource(conninfo, connect_s=connect_s, check=self._stop.check)
        past.keep_to_past(step, source, self._moved)

    def _repoint_running(self, step: RepointRunning, connect_s: float) -> None:
        data = Path(step.places.data.path)
        settings = leading_settings(step, self._own_login)
        self.log_before = find_log(FindLog(str(data)))
        self._before = before_repoint(step, self._stop)
        repoint_running(step, self._own_login, self._stop, self._said("agent"))
        self._has_reloaded = True
        take_over(data, step.login, settings, self._stop, connect_s)

    def _restore(self, step: RestoreBackup, stall_s: float) -> None:
        workspace = Path(step.places.data.workspace)
        swap.mark_changing(workspace, Method.RESTORE)
        withdraw_own_files(Path(step.restoration.directory))
        restore_backup(
            step.restoration, step.bin_directory, self._stop, self._emit, stall_s=stall_s
        )
        swap.mark_changing(workspace, FINISHED)

    def _rewind(self, step: Rewind, connect_s: float) -> None:
        workspace = Path(step.places.data.workspace)
        swap.mark_changing(workspace, Method.REWIND)
        try:
            rewind(step, self._own_login, self._stop, self._emit, connect_s)
        except Untouched as untouched:
            swap.mark_changing(workspace, swap.WHOLE)
            raise untouched.error from untouched
        swap.mark_changing(workspace, FINISHED)

    def undo(self) -> TargetState:
        """Take back what was done, and say what is there now.

        When that fails, the target stays locked, and it may be asked for again.
        """
        self.abort_incremental()
        places = self._places
        if places is None:
            return TargetState.UNTOUCHED
        workspace = Path(places.data.workspace)
        drop_spare(workspace)  # It is kept for this.
        state = self._undo_within(places, workspace)
        if not self._has_removed_old:
            swap.forget_own_files(places.data)
        swap.forget_former_slot(workspace)
        swap.release(workspace, self._lock)
        self._forget()
        return state

    def _undo_within(self, places: Places, workspace: Path) -> TargetState:
        if self._moved is not None:
            self._moved.restore(keeps_written=self._has_reloaded)
        was_empty = swap.swapping(workspace) if self._was_empty is None else self._was_empty
        if was_empty is not None and swap.has_swapped(places, was_empty):
            swap.put_back(places.all(), was_empty)
            self._was_empty, self._has_put_back = None, True
        if self._before is not None:
            self._before.restore()
        if self._has_reloaded:
            reload(Path(places.data.path))
        match swap.taken(workspace):
            case None:
                pass
            case swap.WHOLE | swap.DONE:
                swap.put_taken_in_place(places.data)
            case _:
                return TargetState.INCOMPLETE
        if self._is_whole_anew:
            return TargetState.COPIED
        if self._has_removed_old:
            return TargetState.INCOMPLETE
        return TargetState.RESTORED if self._has_put_back else TargetState.UNTOUCHED

    def finish(self) -> None:
        """Let go of the target: what was done stays, and so does what waits."""
        if self._places is not None:
            swap.release(Path(self._places.data.workspace), self._lock)
            self._forget()

    def _said(self, program: str) -> Callable[[str], None]:
        return lambda line: self._emit(Said(program, line))
