"""Apply an incremental base backup of the primary to the stale directory in place.

The order makes it safe: the guard is raised, what is received is written, what was not sent is
removed, all of it is synced to disk, and only then can a server start in the directory again.
"""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from pgpool_recovery.agent.method.archive import (
    BASE,
    ArrivingArchive,
    check_archives,
    unexpected_archive,
)
from pgpool_recovery.agent.method.guarded.backup_label import without_incremental
from pgpool_recovery.agent.method.guarded.commit import commit
from pgpool_recovery.agent.method.guarded.contents import Contents
from pgpool_recovery.agent.method.guarded.failure import failure
from pgpool_recovery.agent.method.guarded.guard import is_half_applied, raise_guard
from pgpool_recovery.agent.method.guarded.marker import Marker, StaleDirectory
from pgpool_recovery.agent.method.guarded.tablespace import Tablespaces, link_new
from pgpool_recovery.agent.method.incremental.received import Counts, Received
from pgpool_recovery.agent.method.tar_stream import Member, Sink
from pgpool_recovery.domain.control_file import CONTROL_FILE
from pgpool_recovery.domain.data_directory import BACKUP_LABEL
from pgpool_recovery.domain.error import RecoveryError, Undone
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.files.text import read_text, text_of
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.host.version_file import VERSION_FILE
from pgpool_recovery.postgres.backup_command import BROKEN_PROTOCOL
from pgpool_recovery.postgres.backup_stream import (
    ARCHIVE,
    DATA,
    PROGRESS,
    BackupConnection,
    BackupStart,
)

TOLD_EVERY_BYTES = 4 * 2**20


@record
class Directory:
    """The stale directory, and the files in it whose unchanged blocks may be kept."""

    path: Path
    stale: StaleDirectory
    vouched: frozenset[str]


@record
class Applied:
    """What was done, and the end of the backup, which replay must reach."""

    end: Point
    counts: Counts
    files_removed: int


class IncrementalBackup:
    """A backup that the primary has begun to send; owns its connection."""

    def __init__(
        self,
        connection: BackupConnection,
        begun: BackupStart,
        directory: Directory,
        marker: Marker,
        tablespaces: Tablespaces,
        stop: Stop,
    ) -> None:
        self._connection = connection
        self._begun = begun
        self._directory = directory
        self._marker = marker
        self._tablespaces = tablespaces
        self._stop = stop

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.abort()

    @property
    def start(self) -> Point:
        """Where the backup starts: all earlier changes are in it, all later ones in the WAL."""
        return self._begun.point

    def abort(self) -> None:
        """Close the connection; before `apply` nothing is touched. A second call does nothing."""
        self._connection.close()

    def apply(
        self, *, verify_pages: bool = False, on_progress: Callable[[int], None] = lambda _: None
    ) -> Applied:
        """Write the backup into the stale directory; `on_progress` gets the bytes received so far.

        `verify_pages`: check the checksum of each received page, as the server does, too. Once the
        guard is raised, every failure is Incomplete or Filled, or Cancelled with that state of the
        target. Then no server can start in the directory, and another backup completes it.
        """
        stale = self._directory.stale
        received = Received(
            Contents(self._directory.path, stale.version_directory, self._tablespaces.directories),
            stale=stale,
            vouched=self._directory.vouched,
            check_pages_from=self.start.lsn if verify_pages else None,
        )
        self._raise_guard()
        try:
            link_new(self._directory.path, self._tablespaces)
            self._receive(received, on_progress)
            end = self._connection.finish()
            self._commit(received, on_progress)
        except (RecoveryError, OSError) as error:
            raise failure(error, TargetState.INCOMPLETE) from error
        finally:
            self._connection.close()
        return Applied(end, received.counts, received.contents.files_removed)

    def _raise_guard(self) -> None:
        directory = self._directory.path
        try:
            raise_guard(directory, self._marker)
        except OSError as error:
            self._connection.close()
            is_touched = is_half_applied(directory)
            state = TargetState.INCOMPLETE if is_touched else TargetState.UNTOUCHED
            raise failure(error, state) from error

    def _receive(self, received: Received, on_progress: Callable[[int], None]) -> None:
        """Process the stream: a message begins an archive, or is a piece of the current one."""
        archive: ArrivingArchive | None = None
        names: list[str] = []
        told_bytes = 0
        for message in self._connection.messages():
            self._stop.check()
            kind = message[0]
            if kind == DATA and archive is not None:
                archive.feed(message[1:])
                received.counts.bytes_received += len(message) - 1
                if received.counts.bytes_received - told_bytes > TOLD_EVERY_BYTES:
                    told_bytes = received.counts.bytes_received
                    on_progress(told_bytes)
            elif kind == ARCHIVE:
                _finish(archive)
                file = text_of(bytes(message[1:]).split(b"\0", 1)[0])
                archive = ArrivingArchive(file, lambda name: self._opener(name, received))
                names.append(archive.name)
            elif kind != PROGRESS:
                raise Undone(BROKEN_PROTOCOL)
        _finish(archive)
        on_progress(received.counts.bytes_received)
        self._check_complete(names, received)

    def _opener(self, name: str, received: Received) -> Callable[[Member], Sink]:
        if name == BASE:
            return received.open_in_base
        for oid in self._tablespaces.directories:
            if name == str(oid):
                return received.open_in_tablespace(oid)
        raise unexpected_archive(name)

    def _check_complete(self, names: list[str], received: Received) -> None:
        check_archives(names, self._tablespaces.directories)
        for path in (BACKUP_LABEL, VERSION_FILE, CONTROL_FILE):
            if path not in received.contents.paths:
                raise Undone(f'the base backup has no "{path}"')

    def _commit(self, received: Received, on_progress: Callable[[int], None]) -> None:
        """Turn the directory into a standby's, the control file last."""

        def tick() -> None:
            """Report that it is alive: the disk may take long for so many files."""
            self._stop.check()
            on_progress(received.counts.bytes_received)

        label = without_incremental(read_text(self._directory.path / BACKUP_LABEL))
        commit(received.contents, self._tablespaces, received.files, label, tick)


def _finish(archive: ArrivingArchive | None) -> None:
    if archive is not None:
        archive.finish()
