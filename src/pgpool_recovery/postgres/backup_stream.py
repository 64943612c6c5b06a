"""Receive a base backup from the server over a replication connection, whole or incremental.

The commands and messages are those of protocol-replication.html: UPLOAD_MANIFEST for an incremental
one, then BASE_BACKUP. The latter answers with the start of the backup, the tablespaces, one COPY
OUT with all archives and the manifest, and the end of the backup. Before PostgreSQL 15 there is a
COPY OUT for each archive, and one for the manifest.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Self

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import History, Point, TimelineId, parse_history, parse_lsn
from pgpool_recovery.postgres.backup_command import BackupCommands, texts
from pgpool_recovery.postgres.connection import THE_PRIMARY, open_replication

if TYPE_CHECKING:
    from types import TracebackType

    from psycopg.pq.abc import PGconn, PGresult

LABEL = "pgpool_recovery"
MANIFEST_CHUNK_BYTES = 65536  # The server parses the manifest in chunks of 128 kB.

ARCHIVE, DATA, MANIFEST, PROGRESS = b"ndmp"
"""The types of messages in a COPY OUT (basebackup_copy.c)."""

MESSAGES_SINCE = 150000
"""The first version that sends such messages, and that has options in parentheses."""
BASE_ARCHIVE = "base.tar"
END_OF_ARCHIVE = bytes(1024)
"""Two headers of zeros; servers before PostgreSQL 15 leave them out."""


@record
class StreamLimits:
    """How long to wait: for the connection, for the start of the backup, for each further byte.

    The backup starts after a checkpoint, and after the WAL up to it was summarized. The server
    itself gives up when the summarizer makes no progress for a minute.
    """

    connect_s: float = 10.0
    start_s: float = 600.0
    silence_s: float = 120.0


@record
class FullBackup:
    """What a whole backup is requested with.

    `checksums` is the algorithm of the manifest's checksums. `compression` is "zstd" or None, with
    this many `workers` on the server; None leaves it to the server's own process. `max_rate_kb` is
    in kB per second.
    """

    checksums: str
    compression: str | None = None
    workers: int | None = None
    max_rate_kb: int | None = None


@record
class SentTablespace:
    """A tablespace whose archive will follow; its location is the one on the primary."""

    oid: int
    location: str


@record
class BackupStart:
    """What the server sends before the first archive."""

    point: Point
    tablespaces: tuple[SentTablespace, ...]


class BackupConnection:
    """A physical replication connection on which one base backup is made.

    How long its methods wait, and what they raise, is said in `BackupCommands`.
    """

    def __init__(
        self, pgconn: "PGconn", limits: StreamLimits, check: Callable[[], None], name: str
    ) -> None:
        self._pgconn = pgconn
        self._limits = limits
        self._commands = BackupCommands(pgconn, limits.silence_s, check, name)
        self._is_old = False
        self._archives: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection, and with it the backup; a second call does nothing."""
        self._pgconn.finish()

    def identify(self) -> tuple[str, History]:
        """Return the server's system identifier and the history of its timeline."""
        (row,) = self._commands.rows("IDENTIFY_SYSTEM")
        current = TimelineId(int(row[1]))
        if current == 1:  # It has no history file.
            return row[0], History(current)
        ((_, text),) = self._commands.rows(f"TIMELINE_HISTORY {current}")
        return row[0], parse_history(text, current)

    def has_checksums(self) -> bool:
        """Return whether the server's pages have checksums."""
        return self.show("data_checksums") == "on"

    def show(self, name: str) -> str:
        """Return the value of a setting, in the form of SHOW."""
        ((value,),) = self._commands.rows(f"SHOW {name}")
        return value

    def upload_manifest(self, manifest: bytes) -> None:
        """Send the manifest: which files the target has, and from which backup."""
        from psycopg.pq import ExecStatus

        self._commands.send("UPLOAD_MANIFEST")
        self._commands.expect(ExecStatus.COPY_IN)
        for offset in range(0, len(manifest), MANIFEST_CHUNK_BYTES):
            self._pgconn.put_copy_data(manifest[offset : offset + MANIFEST_CHUNK_BYTES])
            self._commands.flush()
        self._pgconn.put_copy_end()
        self._commands.flush()
        self._commands.expect(ExecStatus.COMMAND_OK)
        self._commands.end_of_results()

    def start_incremental(
        self, *, max_rate_kb: int | None, compression: str | None = None, workers: int | None = None
    ) -> BackupStart:
        """Have the server begin an incremental backup for the manifest that was uploaded.

        It reads everything before the first archive. WAIT is off: a standby gets its WAL from the
        primary through its slot, so no WAL needs to be archived.
        """
        rate = "" if max_rate_kb is None else f", MAX_RATE {max_rate_kb}"
        return self._begin(
            f"BASE_BACKUP (LABEL '{LABEL}', CHECKPOINT 'fast', WAIT 'false', MANIFEST 'no',"
            f" INCREMENTAL 'true'{rate}{_compression(compression, workers)})"
        )

    def start_full(self, wanted: FullBackup) -> BackupStart:
        """Have the server begin a whole backup, and read everything before the first archive."""
        self._is_old = self._pgconn.server_version < MESSAGES_SINCE
        checksums, rate_kb = wanted.checksums, wanted.max_rate_kb
        if self._is_old:
            rate = "" if rate_kb is None else f" MAX_RATE {rate_kb}"
            return self._begin(
                f"BASE_BACKUP LABEL '{LABEL}' FAST NOWAIT{rate}"
                f" MANIFEST 'yes' MANIFEST_CHECKSUMS '{checksums}'"
            )
        rate = "" if rate_kb is None else f", MAX_RATE {rate_kb}"
        return self._begin(
            f"BASE_BACKUP (LABEL '{LABEL}', CHECKPOINT 'fast', WAIT 'false', MANIFEST 'yes',"
            f" MANIFEST_CHECKSUMS '{checksums}'"
            f"{rate}{_compression(wanted.compression, wanted.workers)})"
        )

    def recover(self) -> None:
        """Read what is left after a refusal, so that another command can follow."""
        self._commands.skip_results()

    def _begin(self, command: str) -> BackupStart:
        from psycopg.pq import ExecStatus

        self._commands.send(command)
        point = _point(self._commands.expect(ExecStatus.TUPLES_OK, within_s=self._limits.start_s))
        rows = texts(self._commands.expect(ExecStatus.TUPLES_OK))
        if not self._is_old:
            self._commands.expect(ExecStatus.COPY_OUT)
        self._archives = [f"{oid}.tar" if oid else BASE_ARCHIVE for oid, *_ in rows]
        named = tuple(SentTablespace(int(oid), location) for oid, location, _ in rows if oid)
        return BackupStart(point, named)

    def messages(self) -> Iterator[memoryview]:
        """Yield the messages of the backup: a byte for the type, and the rest.

        What an older server sends is brought into the same form. None is kept, so at most one
        message is in memory.
        """
        self._commands.is_streaming = True
        if not self._is_old:
            yield from self._commands.copied()
            return
        from psycopg.pq import ExecStatus

        for archive in self._archives:
            self._commands.expect(ExecStatus.COPY_OUT)
            yield _message(ARCHIVE, archive.encode() + b"\0\0")
            for data in self._commands.copied():
                yield _message(DATA, data)
            yield _message(DATA, END_OF_ARCHIVE)
        self._commands.expect(ExecStatus.COPY_OUT)
        yield _message(MANIFEST)
        for data in self._commands.copied():
            yield _message(DATA, data)

    def finish(self) -> Point:
        """Return where the backup ends; raise Undone when the server found it faulty."""
        from psycopg.pq import ExecStatus

        point = _point(self._commands.expect(ExecStatus.TUPLES_OK))
        self._commands.expect(ExecStatus.COMMAND_OK)
        self._commands.end_of_results()
        return point


def start_with_workers(
    connection: BackupConnection, workers: int | None, start: Callable[[int | None], BackupStart]
) -> BackupStart:
    """Have a backup begin; without workers if the server's library has no threads."""
    try:
        return start(workers)
    except Refused:
        if workers is None:
            raise
        connection.recover()
    return start(None)


def open_backup(
    conninfo: Mapping[str, str],
    limits: StreamLimits,
    check: Callable[[], None],
    name: str = THE_PRIMARY,
) -> BackupConnection:
    """Open a connection for a base backup of the server that messages call `name`.

    Raises Unreachable with libpq's message.
    """
    pgconn = open_replication(conninfo, within_s=limits.connect_s, check=check)
    return BackupConnection(pgconn, limits, check, name)


def _message(kind: int, data: bytes | memoryview = b"") -> memoryview:
    return memoryview(bytes([kind]) + data)


def _compression(algorithm: str | None, workers: int | None) -> str:
    """Return the options for compression on the server; more than level 1 only costs its CPU."""
    if algorithm is None:
        return ""
    detail = "level=1" if workers is None else f"level=1,workers={workers}"
    return f", COMPRESSION '{algorithm}', COMPRESSION_DETAIL '{detail}'"


def _point(result: "PGresult") -> Point:
    ((lsn, timeline),) = texts(result)
    return Point(TimelineId(int(timeline)), parse_lsn(lsn))
