"""Have the primary begin an incremental backup for a stale directory, which is only read.

A manifest vouches for files: what the server does not send of them is as old as the manifest says
and has not changed since. Three things that no server looks at would make that untrue, and a
standby would start, stream and hold wrong data: `relation_file.py` deals with visibility maps (C1),
`plan/summaries.py` with truncations (C2), and `check_not_past_fork` here with a target that has
replayed more (C3).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pgpool_recovery.agent.base_backup import KEEPALIVES, SERVER_OPTIONS
from pgpool_recovery.agent.incremental.backup import Directory, IncrementalBackup
from pgpool_recovery.agent.incremental.guard import is_half_applied, read_marker
from pgpool_recovery.agent.incremental.manifest import manifest, wal_ranges
from pgpool_recovery.agent.incremental.marker import StaleDirectory
from pgpool_recovery.agent.incremental.received import REPLACED
from pgpool_recovery.agent.incremental.relation_file import path_of, vouched_paths
from pgpool_recovery.agent.incremental.stale_directory import UNKNOWN_END, read_stale_directory
from pgpool_recovery.agent.incremental.tablespace import linked_tablespaces, match_tablespaces
from pgpool_recovery.agent.pidfile import read_pid_file
from pgpool_recovery.agent.program import Stop
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.wal import History, Point
from pgpool_recovery.plan.facts import Base, Conninfo, RelationSegment
from pgpool_recovery.postgres.base_backup import BackupConnection, Limits, open_backup


@dataclass(frozen=True)
class Request:
    """What a backup is made for.

    `conninfo` leads to the primary as a role with REPLICATION, and may hold the password of that
    role; by its application_name the runner finds the walsender. `left_out`: segments of which no
    block may be kept (C2). `locations`: where on the target a tablespace goes, by its OID, if the
    target does not have it yet.
    """

    data_directory: Path
    bin_directory: Path
    conninfo: Conninfo
    left_out: Collection[RelationSegment]
    locations: Mapping[int, str]
    max_rate_kb: int | None = None
    limits: Limits = field(default_factory=Limits)


def begin_backup(request: Request, stop: Stop) -> IncrementalBackup:
    """Have the primary begin an incremental backup for a stale directory, which is only read.

    Refused, with the primary's own words where it refuses, and Unreachable.
    """
    linked = linked_tablespaces(request.data_directory)
    directory = _look_at(request, linked, stop)
    conninfo = {**request.conninfo, **KEEPALIVES, "options": SERVER_OPTIONS}
    connection = open_backup(conninfo, request.limits, stop.check)
    try:
        history = _check_server(connection, directory.stale)
        check_not_past_fork(directory.stale.base, history)
        needed = wal_ranges(directory.stale.base, history)
        identifier = directory.stale.system_identifier
        connection.upload_manifest(manifest(identifier, needed, directory.vouched))
        begun = connection.start(max_rate_kb=request.max_rate_kb)
        tablespaces = match_tablespaces(
            linked, begun.tablespaces, request.locations, directory.stale.version_directory
        )
        _check_timeline(begun.point, history)
    except BaseException:
        connection.close()
        raise
    return IncrementalBackup(connection, begun, directory, tablespaces, stop)


def _look_at(request: Request, linked: Mapping[int, Path], stop: Stop) -> Directory:
    path = request.data_directory
    if read_pid_file(path) is not None:
        raise Refused(f"a server runs in {path}", hint="Stop it first.")
    for name in REPLACED:
        if (path / name).is_symlink():
            raise Refused(
                f"{path / name} is a symbolic link",
                hint="Put the directory itself there, or make a full copy.",
            )
    stale = read_stale_directory(path, request.bin_directory, stop)
    known = frozenset(vouched_paths(path, linked, stale.version_directory))
    if is_half_applied(path):
        known &= read_marker(path).vouched
    left_out = {path_of(segment, stale.version_directory) for segment in request.left_out}
    return Directory(path, stale, vouched=known - left_out, known=known)


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
            "one of the target and the primary has data checksums, the other has not",
            detail="pg_checksums changed the primary's pages without WAL.",
            hint="Make a full copy.",
        )
    return history


def _check_timeline(start: Point, history: History) -> None:
    if start.timeline != history.current:
        raise Refused("the primary changed its timeline just now", hint="Recover again.")


def check_not_past_fork(base: Base, history: History) -> None:
    """Refuse a directory that has replayed what the primary never wrote (C3).

    Servers before 17.12 do not look: they take the manifest's end for a position on their own way,
    send what changed on that, and the target's other blocks stay what they are.
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
        return f"It has replayed timeline {point.timeline}, which the primary never was on."
    left = Point(point.timeline, history.end_of(point.timeline) or point.lsn)
    reached = "an unknown point" if point.lsn == UNKNOWN_END else str(point)
    return f"It has replayed up to {reached}; the primary left that timeline at {left}."
