"""Find out what a stale data directory consists of, and from where on it lacks the primary's data.

This is read before the first change. From then on it is in the marker (`guard.py`), which a later
run reads instead of the control file.
"""

from pathlib import Path

from pgpool_recovery.agent.method.guarded.backup_label import MAX_BYTES, is_incremental
from pgpool_recovery.agent.method.guarded.guard import is_half_applied, read_base_marker
from pgpool_recovery.agent.method.guarded.marker import Marker, StaleDirectory
from pgpool_recovery.agent.method.incremental.control_file import (
    read_control_file,
)
from pgpool_recovery.domain.backup_label import parse_backup_label
from pgpool_recovery.domain.control_data import (
    IN_ARCHIVE_RECOVERY,
    SHUT_DOWN,
    SHUT_DOWN_IN_RECOVERY,
    ControlData,
)
from pgpool_recovery.domain.control_file import CONTROL_FILE
from pgpool_recovery.domain.data_directory import BACKUP_LABEL
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.wal import Lsn, Point
from pgpool_recovery.facts.facts import Base
from pgpool_recovery.files.text import read_text
from pgpool_recovery.host.stop import Stop

UNKNOWN_END = Lsn(2**64 - 1)
"""The end of a directory when it is not known how far it has replayed.

It is past every position. So `History.has` returns true while the timeline is the primary's current
one, on which every position is the primary's own, and false as soon as the primary has left it.
"""
SETTLED = (SHUT_DOWN, SHUT_DOWN_IN_RECOVERY, IN_ARCHIVE_RECOVERY)


def read_base(data_directory: Path, bin_directory: Path, stop: Stop) -> Base:
    """Return from where on a data directory lacks what the primary has written.

    Raises Refused when that cannot be determined. The end has the position `UNKNOWN_END` when only
    its timeline is known: after a run that was interrupted, and in a base backup of a primary that
    no server has replayed.
    """
    return read_stale_directory(data_directory, bin_directory, stop).base


def read_stale_directory(data_directory: Path, bin_directory: Path, stop: Stop) -> StaleDirectory:
    """Return what must be known about a data directory, complete or half applied.

    Raises Refused when it cannot be determined.
    """
    if is_half_applied(data_directory):
        return _half_applied(read_base_marker(data_directory))
    if not (data_directory / CONTROL_FILE).is_file():
        raise Refused(
            f"{data_directory} has no control file",
            hint="Make a full copy: without that file it is not known what the directory contains.",
        )
    control = read_control_file(data_directory, bin_directory, stop)
    major = read_text(data_directory / "PG_VERSION").strip()
    return StaleDirectory(
        system_identifier=control.data.system_identifier,
        version_directory=f"PG_{major}_{control.catalog_version}",
        block_bytes=control.block_bytes,
        segment_blocks=control.segment_blocks,
        has_checksums=control.data.has_checksums,
        base=vouched_base(control.data, _label(data_directory)),
    )


def _half_applied(marker: Marker) -> StaleDirectory:
    """Return the directory of the marker, with an unknown end on the timeline of the primary then.

    The interrupted run wrote blocks of a primary that was on that timeline, but it is not known up
    to which position. A primary that has left the timeline may have left it before that position.
    """
    return marker.stale.with_end(Point(marker.began.timeline, UNKNOWN_END))


def _label(data_directory: Path) -> str | None:
    try:
        return read_text(data_directory / BACKUP_LABEL, MAX_BYTES)
    except FileNotFoundError:
        return None


def vouched_base(control: ControlData, label: str | None) -> Base:
    """Return the base that a manifest may name, according to the control file and backup_label.

    This is stricter than what a plan assumes (plan/divergence.py): it raises Refused for what is
    not known. If there is a label, recovery does not begin at the control file's REDO: pg_rewind
    leaves the REDO of its source there.
    """
    written = Point(control.timeline, control.redo)
    if label is None:
        return Base(written, _end_without_label(control, written))
    if is_incremental(label):
        raise Refused(
            "the target is an incremental backup, not a data directory",
            hint="Combine it with its full backup (pg_combinebackup), or make a full copy.",
        )
    redo = parse_backup_label(label)
    if control.state != IN_ARCHIVE_RECOVERY or control.minimum_end is None:
        return Base(redo, _unknown_end(redo, written))
    return Base(redo, _not_before(redo, control.minimum_end))


def _end_without_label(control: ControlData, redo: Point) -> Point:
    if control.state not in SETTLED:
        raise Refused(
            f'the target\'s cluster state is "{control.state}"',
            detail="It is not known where its WAL ends.",
            hint="Run pg_rewind, or start the server and stop it cleanly: then its end is known.",
        )
    minimum = control.minimum_end or redo
    if not control.is_consistent:  # A base backup has later pages until its end is reached.
        return _unknown_end(redo, minimum)
    return _not_before(redo, minimum)


def _not_before(redo: Point, end: Point) -> Point:
    return end if end.lsn >= redo.lsn else redo


def _unknown_end(one: Point, other: Point) -> Point:
    return Point(max(one.timeline, other.timeline), UNKNOWN_END)
