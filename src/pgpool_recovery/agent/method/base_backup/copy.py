"""Make the full copy: receive a base backup into new directories, and check it on the way.

The order makes it safe: nothing is believed before the manifest came, which is last, and whoever
puts the copy into place does so only after `copy_base_backup` has returned. By then every file was
compared with the manifest and is on disk.
"""

import hashlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.method.archive import ArrivingArchive, check_archives
from pgpool_recovery.agent.method.base_backup.arrival import Arrivals, Checksum
from pgpool_recovery.agent.method.base_backup.destination import Destination, make_directories
from pgpool_recovery.agent.method.base_backup.login import of_backup
from pgpool_recovery.agent.method.base_backup.manifest import ManifestCheck
from pgpool_recovery.agent.method.base_backup.wal_stream import NOT_WHOLE, PROGRAM, WalStream
from pgpool_recovery.agent.method.guarded.durable import make_durable
from pgpool_recovery.agent.method.received_page import CheckPage, page_check
from pgpool_recovery.agent.method.relation_file import parse_path
from pgpool_recovery.agent.method.tar_stream import Sink
from pgpool_recovery.domain.data_directory import WAL
from pgpool_recovery.domain.error import Undone, Unreachable
from pgpool_recovery.domain.event import Emit, Moved, Said
from pgpool_recovery.domain.record import record, replace
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.facts.policy import kilobytes
from pgpool_recovery.facts.step.transfer import CopyBaseBackup
from pgpool_recovery.files.text import text_of
from pgpool_recovery.host import crc32c
from pgpool_recovery.host.meter import Meter
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.postgres.backup_command import BROKEN_PROTOCOL
from pgpool_recovery.postgres.backup_stream import (
    ARCHIVE,
    DATA,
    MANIFEST,
    PROGRESS,
    BackupConnection,
    BackupStart,
    FullBackup,
    StreamLimits,
    open_backup,
    start_with_workers,
)
from pgpool_recovery.postgres.connection import THE_PRIMARY

UNITS = {"B": 1, "kB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}


@record
class Server:
    """What the copy must know about the server that sends it; sizes are in bytes."""

    system_identifier: str
    directory_mode: int
    block_bytes: int
    segment_blocks: int
    has_checksums: bool


def copy_base_backup(
    step: CopyBaseBackup, own_login: OwnLogin, stop: Stop, emit: Emit, limits: StreamLimits
) -> None:
    """Copy the files of the primary or a standby, each checked, and the WAL written meanwhile.

    The checkpoint is a fast one, because a spread one takes as long as checkpoint_timeout allows;
    on a standby it is a restartpoint. Raises Undone when a file is not as the manifest says, when
    the backup fails or is silent for too long, when pg_receivewal ends early, and when the
    connection is lost: this host and the runner are still there, so another method, or another
    server, can follow. Raises Refused when the server refuses the backup.
    """
    try:
        _copy(step, own_login, stop, emit, limits)
    except Unreachable as lost:
        raise Undone(lost.message, detail=lost.detail, hint=lost.hint) from lost


def _copy(
    step: CopyBaseBackup, own_login: OwnLogin, stop: Stop, emit: Emit, limits: StreamLimits
) -> None:
    conninfo = of_backup(step.conninfo, step.slot_name)
    of_wal = of_backup(step.wal_conninfo or step.conninfo, step.slot_name)
    wal = WalStream(
        step.bin_directory,
        Path(step.places.data.new) / WAL,
        step.slot_name if step.streams_by_slot else None,
        step.segment_bytes,
        lambda line: None if NOT_WHOLE in line else emit(Said(PROGRAM, line)),
    )

    def check() -> None:
        stop.check()
        wal.check()

    algorithm, new_checksum = choose_checksum()
    wanted = FullBackup(
        checksums=algorithm,
        compression=step.compression,
        workers=step.workers if step.compression else None,
        max_rate_kb=None if step.max_rate is None else kilobytes(step.max_rate),
    )
    login = own_login.whole(conninfo)
    server = THE_PRIMARY if step.source is None else str(step.source)
    with (
        open_backup(login, limits, check, server) as connection,
        wal,
        closing(Arrivals(new_checksum, check)) as arrivals,
    ):
        facts = _ask(connection)
        begun = _begin(connection, wanted)
        copy = _Copy(step, connection, begun, facts, arrivals, Meter(emit), check)
        copy.prepare()
        wal.begin(begun.point, own_login, of_wal)
        end = copy.receive(algorithm)
        copy.make_durable()
        wal.end(end, stop, is_of_primary=step.source is None)
    emit(Moved(copy.received_bytes))


def choose_checksum() -> tuple[str, Callable[[], Checksum]]:
    """Return the manifest's algorithm, and what computes it here.

    A server computes CRC-32C at the speed of memory, but SHA-256 more slowly than it reads; where
    this host has nothing that computes CRC-32C, the copy costs the server that.
    """
    if crc32c.is_available():
        return "CRC32C", crc32c.Crc32c
    return "SHA256", hashlib.sha256


def _begin(connection: BackupConnection, wanted: FullBackup) -> BackupStart:
    def start(workers: int | None) -> BackupStart:
        return connection.start_full(replace(wanted, workers=workers))

    return start_with_workers(connection, wanted.workers, start)


def _ask(connection: BackupConnection) -> Server:
    system_identifier, _ = connection.identify()
    block_bytes = int(connection.show("block_size"))
    return Server(
        system_identifier,
        directory_mode=int(connection.show("data_directory_mode"), 8),
        block_bytes=block_bytes,
        segment_blocks=_size(connection.show("segment_size")) // block_bytes,
        has_checksums=connection.has_checksums(),
    )


def _size(shown: str) -> int:
    """Return a size as SHOW has it, in bytes.

    >>> _size("1GB")
    1073741824
    """
    number = shown.rstrip("kMGTB")
    return int(number) * UNITS[shown[len(number) :]]


class _Copy:
    """A backup that the server has begun to send."""

    def __init__(
        self,
        step: CopyBaseBackup,
        connection: BackupConnection,
        begun: BackupStart,
        server: Server,
        arrivals: Arrivals,
        meter: Meter,
        check: Callable[[], None],
    ) -> None:
        self._step = step
        self._connection = connection
        self._begun = begun
        self._server = server
        self._arrivals = arrivals
        self._meter = meter
        self._check = check
        self._data = Path(step.places.data.new)
        self._archives: list[str] = []
        self._done_bytes = 0
        self.received_bytes = 0

    def prepare(self) -> None:
        """Make the directories."""
        mode = self._server.directory_mode
        tablespaces = make_directories(self._step.places, self._begun.tablespaces, mode)
        self._to = Destination(self._data, tablespaces, self._open_file)

    def receive(self, algorithm: str) -> Point:
        """Write all files and compare them with the manifest; return where the backup ends."""
        archive: ArrivingArchive | None = None
        manifest: ManifestCheck | None = None
        try:
            for message in self._connection.messages():
                kind, data = message[0], message[1:]
                if kind == DATA and archive is not None:
                    self.received_bytes += len(data)
                    self._tell(archive.feed(data))
                elif kind == DATA and manifest is not None:
                    self.received_bytes += len(data)
                    manifest.feed(data)
                elif kind == ARCHIVE and manifest is None:
                    _finish(archive)
                    archive = self._begin_archive(text_of(bytes(data).split(b"\0", 1)[0]))
                elif kind == MANIFEST and manifest is None:
                    _finish(archive)
                    archive = None
                    self._arrivals.end_files()
                    mode = self._server.directory_mode & 0o660
                    manifest = ManifestCheck(self._arrivals.arrived, algorithm, self._data, mode)
                elif kind != PROGRESS:
                    raise Undone(BROKEN_PROTOCOL)
            end = self._connection.finish()
            self._see_complete(manifest, end)
        finally:
            if manifest is not None:
                manifest.close()
        return end

    def make_durable(self) -> None:
        """Wait until everything is on disk."""
        self._arrivals.finish()
        parents = {directory.parent for directory in self._roots()}
        make_durable([], self._to.directories | set(self._roots()) | parents, self._check)

    def _roots(self) -> list[Path]:
        return [self._data, self._data / WAL, *self._to.tablespaces.values()]

    def _see_complete(self, manifest: ManifestCheck | None, end: Point) -> None:
        check_archives(self._archives, self._to.tablespaces)
        if manifest is None:
            raise Undone("the base backup has no manifest")
        manifest.finish(self._begun.point, end, self._server.system_identifier)

    def _begin_archive(self, file: str) -> ArrivingArchive:
        archive = ArrivingArchive(file, self._to.opener)
        self._archives.append(archive.name)
        return archive

    def _open_file(self, path: str, place: Path, mode: int) -> Sink:
        return self._arrivals.sink_of(
            path,
            place,
            mode,
            block_bytes=self._server.block_bytes,
            check_page=self._page_check(path),
        )

    def _page_check(self, path: str) -> CheckPage | None:
        file = parse_path(path) if self._step.verifies_pages else None
        if file is None or not self._server.has_checksums:
            return None
        return page_check(path, file, self._server.segment_blocks, self._begun.point.lsn)

    def _tell(self, written_bytes: int) -> None:
        self._done_bytes += written_bytes
        self._meter.tell(self._done_bytes, max(self._done_bytes, self._step.size_bytes))


def _finish(archive: ArrivingArchive | None) -> None:
    if archive is not None:
        archive.finish()
