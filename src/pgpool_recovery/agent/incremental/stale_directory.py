"""A data directory that lacks what the primary has written: from where on, and what it is made of.

What is known of it is read before the first change. From then on it stands in the marker
(`guard.py`), which a later run reads in place of the control file.
"""

from pathlib import Path

from pgpool_recovery.agent.incremental.backup_label import (
    BACKUP_LABEL,
    MAX_BYTES,
    is_incremental,
    start_of,
)
from pgpool_recovery.agent.incremental.control_file import (
    CONTROL_FILE,
    ControlFile,
    read_control_file,
)
from pgpool_recovery.agent.incremental.guard import is_half_applied, read_marker
from pgpool_recovery.agent.incremental.marker import Marker, StaleDirectory
from pgpool_recovery.agent.program import Stop
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId
from pgpool_recovery.plan.facts import Base

UNKNOWN_END = Lsn(2**64 - 1)
"""The end of a directory of which nobody knows how far it replayed.

It is past every position, so that `History.has` says yes while the timeline is the primary's
current one, where no position can be a foreign one, and no as soon as the primary has left it.
"""
SETTLED = ("shut down", "shut down in recovery", "in archive recovery")


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
    major = (data_directory / "PG_VERSION").read_text().strip()
    return StaleDirectory(
        system_identifier=control.system_identifier,
        version_directory=f"PG_{major}_{control.catalog_version}",
        block_bytes=control.block_bytes,
        segment_blocks=control.segment_blocks,
        has_checksums=control.has_checksums,
        base=base_of(control, _label(data_directory)),
    )


def _half_applied(marker: Marker) -> StaleDirectory:
    """Blocks of the interrupted run came from a primary on a timeline; up to where, nobody knows.

    A primary that has left that timeline might have done so before (C3).
    """
    return marker.stale.with_end(Point(marker.timeline, UNKNOWN_END))


def _label(data_directory: Path) -> str | None:
    try:
        with (data_directory / BACKUP_LABEL).open(encoding="utf-8", errors="replace") as file:
            return file.read(MAX_BYTES)
    except FileNotFoundError:
        return None


def base_of(control: ControlFile, label: str | None) -> Base:
    """Return the base of a data directory with this control file and backup_label.

    While there is a label the control file's REDO is not what recovery begins with: pg_rewind
    leaves the source's there.
    """
    if label is None:
        return Base(control.redo, _end_without_label(control))
    if is_incremental(label):
        raise Refused(
            "the target is an incremental backup, not a data directory",
            hint="Combine it with its full backup (pg_combinebackup), or make a full copy.",
        )
    redo = start_of(label)
    minimum = control.minimum_recovery
    if control.state != "in archive recovery" or minimum is None:
        return Base(redo, Point(_later(redo, control.redo), UNKNOWN_END))
    return Base(redo, _not_before(redo, minimum))


def _end_without_label(control: ControlFile) -> Point:
    if control.state not in SETTLED:
        raise Refused(
            f'the target\'s cluster state is "{control.state}"',
            detail="Nobody knows where its WAL ends.",
            hint="Let pg_rewind, or a start and a clean stop, bring it to an end that is known.",
        )
    minimum = control.minimum_recovery or control.redo
    if not control.is_consistent:  # A base backup whose end was not reached: it holds later pages.
        return Point(_later(control.redo, minimum), UNKNOWN_END)
    return _not_before(control.redo, minimum)


def _not_before(redo: Point, end: Point) -> Point:
    return end if end.lsn >= redo.lsn else redo


def _later(one: Point, other: Point) -> TimelineId:
    return max(one.timeline, other.timeline)
