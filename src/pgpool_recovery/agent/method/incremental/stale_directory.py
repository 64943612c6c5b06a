"""A data directory that lacks what the primary has written: from where on, and what it is made of.

What is known of it is read before the first change. From then on it stands in the marker
(`guard.py`), which a later run reads in place of the control file.
"""

from pathlib import Path

from pgpool_recovery.agent.method.incremental.backup_label import (
    BACKUP_LABEL,
    MAX_BYTES,
    is_incremental,
)
from pgpool_recovery.agent.method.incremental.control_file import (
    CONTROL_FILE,
    read_control_file,
)
from pgpool_recovery.agent.method.incremental.guard import is_half_applied, read_marker
from pgpool_recovery.agent.method.incremental.marker import Marker, StaleDirectory
from pgpool_recovery.domain.backup_label import parse_backup_label
from pgpool_recovery.domain.control_data import (
    IN_ARCHIVE_RECOVERY,
    SHUT_DOWN,
    SHUT_DOWN_IN_RECOVERY,
    ControlData,
)
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.wal import Lsn, Point
from pgpool_recovery.facts.facts import Base
from pgpool_recovery.files.text import read_text
from pgpool_recovery.host.stop import Stop

UNKNOWN_END = Lsn(2**64 - 1)
"""The end of a directory of which nobody knows how far it replayed.

It is past every position, so that `History.has` says yes while the timeline is the primary's
current one, where no position can be a foreign one, and no as soon as the primary has left it.
"""
SETTLED = (SHUT_DOWN, SHUT_DOWN_IN_RECOVERY, IN_ARCHIVE_RECOVERY)


def read_base(data_directory: Path, bin_directory: Path, stop: Stop) -> Base:
    """Return from where on a data directory lacks what the primary has written.

    Refused when that cannot be known. The end has `UNKNOWN_END` for its position when only its
    timeline is known: after a run that was interrupted, and in a base backup of a primary that no
    server has replayed.
    """
    return read_stale_directory(data_directory, bin_directory, stop).base


def read_stale_directory(data_directory: Path, bin_directory: Path, stop: Stop) -> StaleDirectory:
    """Return all that has to be known of a data directory, whole or half applied."""
    if is_half_applied(data_directory):
        return _half_applied(read_marker(data_directory))
    if not (data_directory / CONTROL_FILE).is_file():
        raise Refused(
            f"{data_directory} has no control file",
            hint="Make a full copy: without it nobody knows what the directory holds.",
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
    """Blocks of the interrupted run came from a primary on a timeline; up to where, nobody knows.

    A primary that has left that timeline might have done so before that position.
    """
    return marker.stale.with_end(Point(marker.began.timeline, UNKNOWN_END))


def _label(data_directory: Path) -> str | None:
    try:
        return read_text(data_directory / BACKUP_LABEL, MAX_BYTES)
    except FileNotFoundError:
        return None


def vouched_base(control: ControlData, label: str | None) -> Base:
    """Return the base that a manifest may name, by the control file and backup_label.

    Stricter than what a plan reckons with (plan/divergence.py): what is not known is refused.
    While there is a label the control file's REDO is not what recovery begins with: pg_rewind
    leaves the source's there.
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
            detail="Nobody knows where its WAL ends.",
            hint="Let pg_rewind, or a start and a clean stop, bring it to an end that is known.",
        )
    minimum = control.minimum_end or redo
    if not control.is_consistent:  # A base backup whose end was not reached: it holds later pages.
        return _unknown_end(redo, minimum)
    return _not_before(redo, minimum)


def _not_before(redo: Point, end: Point) -> Point:
    return end if end.lsn >= redo.lsn else redo


def _unknown_end(one: Point, other: Point) -> Point:
    return Point(max(one.timeline, other.timeline), UNKNOWN_END)
