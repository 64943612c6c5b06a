"""Take the step of an incremental base backup: begin it, write it onto the directory, or abort."""

from pathlib import Path
from typing import TYPE_CHECKING

from pgpool_recovery.agent.directory.journal import Journal
from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.steps.see_files import see_files
from pgpool_recovery.domain.directory_state import Change, Changed, LeftAlone, target_state
from pgpool_recovery.domain.error import RecoveryError, Refused
from pgpool_recovery.domain.event import Emit, Moved, Said
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.facts.policy import Method, kilobytes
from pgpool_recovery.facts.step.transfer import Incremental
from pgpool_recovery.host.meter import Meter
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.protocol import Limits
from pgpool_recovery.talk.request.steps import BeginIncremental

if TYPE_CHECKING:
    from pgpool_recovery.agent.method.incremental.backup import IncrementalBackup


class IncrementalStep:
    """The backup that was begun, until it is written or aborted."""

    def __init__(self, stop: Stop, emit: Emit, own_login: OwnLogin) -> None:
        self._stop = stop
        self._emit = emit
        self._own_login = own_login
        self._backup: IncrementalBackup | None = None

    def begin(self, request: BeginIncremental, journal: Journal, limits: Limits) -> Point:
        """Make the primary begin the backup, and return the position at which it starts."""
        from pgpool_recovery.agent.method.incremental.begin import BackupRequest, begin_backup
        from pgpool_recovery.postgres.backup_stream import StreamLimits

        step = request.step
        see_files(Path(step.places.data.new), journal, self._stop)
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

    def apply(self, step: Incremental, journal: Journal) -> TargetState:
        """Write the backup onto the directory; return the state of the target after that."""
        backup, self._backup = self._backup, None
        if backup is None:
            raise Refused("no incremental base backup was begun")
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

    def abort(self) -> None:
        """Abort the backup if one was begun."""
        backup, self._backup = self._backup, None
        if backup is not None:
            backup.abort()
