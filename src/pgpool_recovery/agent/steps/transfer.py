"""Take the steps that bring the primary's data to the target by a program or a backup.

What each of them does to the data directory is recorded in the journal, before and after. The
module of a method is imported with its step, since a run uses only one method.
"""

import time
from pathlib import Path

from pgpool_recovery.agent.directory import swap
from pgpool_recovery.agent.directory.journal import Journal
from pgpool_recovery.agent.directory.own_files import (
    keep_own_files,
    own_directory,
    withdraw_own_files,
)
from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.domain.directory_state import Change, Changed, LeftAlone
from pgpool_recovery.domain.error import NoRoom
from pgpool_recovery.domain.event import Emit
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.facts.step.transfer import CopyBaseBackup, RestoreBackup, Rewind, RunCommand
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.host.system_failure import FULL


@record
class Transfer:
    """What every transfer works with."""

    journal: Journal
    own_login: OwnLogin
    stop: Stop
    emit: Emit

    def copy(self, step: CopyBaseBackup, *, stall_s: float, connect_s: float) -> None:
        """Copy everything; what has arrived when that fails is kept, but not on a full disk."""
        from pgpool_recovery.agent.directory.entry import Copy
        from pgpool_recovery.agent.method.base_backup.copy import copy_base_backup
        from pgpool_recovery.postgres.backup_stream import StreamLimits

        layout = {place.path: place.new for place in step.places.all()}
        self.journal.note_copy(Copy(step.system_identifier, int(time.time()), layout))
        limits = StreamLimits(connect_s, stall_s, stall_s)
        try:
            copy_base_backup(step, self.own_login, self.stop, self.emit, limits)
        except (NoRoom, OSError) as error:
            if isinstance(error, NoRoom) or error.errno in FULL:
                swap.forget_copy(self.journal)
            raise

    def restore(self, step: RestoreBackup, *, stall_s: float) -> None:
        """Bring the directory to a backup of pgBackRest."""
        from pgpool_recovery.agent.method.restore import restore_backup

        self.journal.take(Change(Method.RESTORE))
        withdraw_own_files(Path(step.restoration.directory))
        restore_backup(step.restoration, step.bin_directory, self.stop, self.emit, stall_s=stall_s)
        self.journal.take(Changed())

    def rewind(self, step: Rewind, *, connect_s: float) -> None:
        """Bring the directory back to the primary's past."""
        from pgpool_recovery.agent.method.rewind import Untouched, rewind

        self.journal.take(Change(Method.REWIND))
        try:
            rewind(step, self.own_login, self.stop, self.emit, connect_s)
        except Untouched as untouched:
            self.journal.take(LeftAlone())
            raise untouched.error from untouched
        self.journal.take(Changed())

    def run_command(self, step: RunCommand) -> Point | None:
        """Have a command make the directory; return where its backup ends, if it says so.

        After a command that changes the data, what it has made is checked before it counts.
        """
        from pgpool_recovery.agent.method.command import CouldNot, run_command

        keeps_data = step.method.keep_data
        if keeps_data:
            self.journal.take(Change(Method.COMMAND))
        try:
            return run_command(step, self.own_login, self.stop, self.emit)
        except CouldNot as unchanged:
            if keeps_data:
                new = Path(step.places.data.new)
                keep_own_files(own_directory(Path(step.places.data.path)), new)
                self.journal.take(LeftAlone())
            raise unchanged.error from unchanged
