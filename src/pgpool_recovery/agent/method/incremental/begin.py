"""Make the primary begin an incremental backup for a stale directory, which is only read.

A manifest vouches for files: blocks of them that the server does not send are as old as the
manifest says and have not changed since. There are three cases that no server checks, and in which
that would be untrue: a standby would start, stream and have wrong data. They are a change of a
visibility map that is not in the WAL (`relation_file.py`), a truncation after which the file grew
again (`plan/summaries.py`), and a target that has replayed what the primary never wrote
(`check_not_past_fork` here). docs/explanation/methods.md calls them C1, C2 and C3.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

from pgpool_recovery.agent.method.base_backup.login import KEEPALIVES, SERVER_OPTIONS
from pgpool_recovery.agent.method.guarded.contents import check_directory
from pgpool_recovery.agent.method.guarded.guard import is_half_applied, read_base_marker
from pgpool_recovery.agent.method.guarded.marker import Marker, StaleDirectory
from pgpool_recovery.agent.method.guarded.tablespace import (
    linked_tablespaces,
    match_tablespaces,
)
from pgpool_recovery.agent.method.incremental.backup import Directory, IncrementalBackup
from pgpool_recovery.agent.method.incremental.manifest import manifest, wal_ranges
from pgpool_recovery.agent.method.incremental.stale_directory import (
    UNKNOWN_END,
    read_stale_directory,
)
from pgpool_recovery.agent.method.relation_file import path_of, vouched_paths
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import field, record
from pgpool_recovery.domain.wal import History, Point, lsn_text
from pgpool_recovery.facts.facts import Base, Conninfo, RelationSegment
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.postgres.backup_stream import (
    BackupConnection,
    BackupStart,
    StreamLimits,
    open_backup,
    start_with_workers,
)


@record
class BackupRequest:
    """What a backup is made for.

    `conninfo` connects to the primary as a role with REPLICATION, and may contain that role's
    password; the runner finds the walsender by its application_name. `left_out` are segments that
    were truncated, so none of their blocks may be kept. `locations` says, by OID, where on the
    target a tablespace goes that the target does not have yet. `max_rate_kb` is in kB per second.
    `workers` is how many threads of the primary compress.
    """

    data_directory: Path
    bin_directory: Path
    conninfo: Conninfo
    left_out: Collection[RelationSegment]
    locations: Mapping[int, str]
    max_rate_kb: int | None = None
    compression: str | None = None
    workers: int | None = None
    limits: StreamLimits = field(default_factory=StreamLimits)


def begin_backup(request: BackupRequest, stop: Stop) -> IncrementalBackup:
    """Make the primary begin an incremental backup for a stale directory, which is only read.

    Raises Refused, with the primary's own message if that refuses, and Unreachable.
    """
    path = request.data_directory
    check_directory(path)
    stale = read_stale_directory(path, request.bin_directory, stop)
    earlier = read_base_marker(path) if is_half_applied(path) else None
    linked = linked_tablespaces(path)
    known = frozenset(vouched_paths(path, linked, stale.version_directory))
    if earlier is not None:
        known &= earlier.vouched
    left_out = {path_of(segment, stale.version_directory) for segment in request.left_out}
    directory = Directory(path, stale, vouched=known - left_out)
    conninfo = {**request.conninfo, **KEEPALIVES, "options": SERVER_OPTIONS}
    connection = open_backup(conninfo, request.limits, stop.check)
    try:
        history = _check_server(connection, stale)
        check_not_past_fork(stale.base, history)
        began = Point(history.current, history.begin_of(history.current))
        if earlier is not None:
            check_same_timeline(earlier.began, began)
        needed = wal_ranges(stale.base, history)
        connection.upload_manifest(manifest(stale.system_identifier, needed, directory.vouched))
        begun = _start(connection, request)
        _check_start(begun.point, history)
        tablespaces = match_tablespaces(
            linked, begun.tablespaces, request.locations, stale.version_directory
        )
    except BaseException:
        connection.close()
        raise
    marker = earlier or Marker(stale, began, known)
    return IncrementalBackup(connection, begun, directory, marker, tablespaces, stop)


def _start(connection: BackupConnection, request: BackupRequest) -> BackupStart:
    def start(workers: int | None) -> BackupStart:
        return connection.start_incremental(
            max_rate_kb=request.max_rate_kb, compression=request.compression, workers=workers
        )

    return start_with_workers(connection, request.workers, start)


def _check_server(connection: BackupConnection, stale: StaleDirectory) -> History:
    system_identifier, history = connection.identify()
    if system_identifier != stale.system_identifier:
        raise Refused(
            "the target belongs to another cluster",
            detail=f"Its system identifier is {stale.system_identifier}, "
            f"the primary's is {system_identifier}.",
        )
    if connection.has_checksums() != stale.has_checksums:
        raise Refused(
            "only one of the target and the primary has data checksums",
            detail="pg_checksums changes pages without writing WAL.",
            hint="Make a full copy.",
        )
    return history


def _check_start(start: Point, history: History) -> None:
    if start.timeline != history.current:
        raise Refused("the primary has just changed its timeline", hint="Recover the node again.")


def check_same_timeline(earlier: Point, now: Point) -> None:
    """Refuse to go on with blocks of another primary whose timeline has the same number.

    Two standbys that were promoted independently, without a common archive, may both choose the
    same number.
    """
    if earlier != now:
        raise Refused(
            "the target was left half applied from another primary",
            detail=f"Its timeline {earlier.timeline} began at {lsn_text(earlier.lsn)}, this "
            f"primary's timeline {now.timeline} at {lsn_text(now.lsn)}.",
            hint="Make a full copy.",
        )


def check_not_past_fork(base: Base, history: History) -> None:
    """Refuse a directory that has replayed what the primary never wrote.

    Servers before 17.12 do not check that: they take the manifest's end for a position in their own
    history, send what changed since then, and the target keeps its other blocks, right or wrong.
    """
    for point in (base.redo, base.end):
        if not history.has(point):
            raise Refused(
                "the target has diverged from the primary",
                detail=_divergence(point, history),
                hint="Rewind it first, or make a full copy.",
            )


def _divergence(point: Point, history: History) -> str:
    if point.timeline not in history.timelines:
        return f"It has replayed timeline {point.timeline}, which is not in the primary's history."
    left = Point(point.timeline, history.end_of(point.timeline) or point.lsn)
    reached = "an unknown point" if point.lsn == UNKNOWN_END else str(point)
    return f"It has replayed up to {reached}; the primary left that timeline at {left}."
