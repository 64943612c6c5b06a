"""Guard a data directory whose files are from two points in time: no server starts on it.

A server that did would report "consistent recovery state reached" and serve data that never
existed. So the control file is moved away before the first change and put back after the last one,
and a marker says what the directory was. A crash leaves one of these:

* no marker: untouched, or complete with nothing left of the run
* marker and control file: still untouched, or complete except for the marker; the control file and
  backup_label are correct in both cases
* marker and no control file: half applied, and only another run can go on

All of these files are in ``global``, so that none is taken for one of the node's own files.
"""

from pathlib import Path

from pgpool_recovery.agent.method.guarded.marker import (
    DeltaMarker,
    Marker,
    decode_marker,
    encode_marker,
)
from pgpool_recovery.domain.control_file import CONTROL_FILE
from pgpool_recovery.domain.data_directory import GUARD_PREFIX
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.files.text import read_text
from pgpool_recovery.files.write import sync, write_file

MARKER = f"global/{GUARD_PREFIX}marker"
OLD_CONTROL_FILE = f"global/{GUARD_PREFIX}pg_control.old"
NEW_CONTROL_FILE = f"global/{GUARD_PREFIX}pg_control.new"
MAX_MARKER_BYTES = 1 << 30
"""The marker names every vouched file."""


def is_half_applied(data_directory: Path) -> bool:
    """Return whether a run was interrupted here after its first change."""
    return (data_directory / MARKER).is_file() and not (data_directory / CONTROL_FILE).exists()


def read_marker(data_directory: Path) -> Marker | DeltaMarker:
    """Return the marker of a half-applied directory; raise Refused when it cannot be read."""
    try:
        return decode_marker(read_text(data_directory / MARKER, MAX_MARKER_BYTES))
    except FileNotFoundError as error:
        raise Refused(f"{data_directory} has no marker") from error


def read_base_marker(data_directory: Path) -> Marker:
    """Return the marker of a directory whose base is known; raise Refused when it has none."""
    marker = read_marker(data_directory)
    if isinstance(marker, DeltaMarker):
        raise Refused(
            f"{data_directory} was left half changed by a comparison of blocks",
            detail="Its blocks are from different points in time.",
            hint="Compare it again (delta), or make a full copy.",
        )
    return marker


def raise_guard(data_directory: Path, marker: Marker | DeltaMarker) -> None:
    """Write the marker durably, then move the control file away.

    A raised guard is left alone, except that a delta replaces the marker: what it writes is from
    later points in time than a base says.
    """
    if is_half_applied(data_directory) and isinstance(marker, Marker):
        return
    file = data_directory / MARKER
    write_file(file, encode_marker(marker), growing=f"{file.name}.growing")
    if (data_directory / CONTROL_FILE).exists():  # A half-changed directory may have none.
        (data_directory / CONTROL_FILE).rename(data_directory / OLD_CONTROL_FILE)
    sync(data_directory / "global")


def lower_guard(data_directory: Path) -> None:
    """Put the new control file in place, after everything else has been synced to disk."""
    (data_directory / NEW_CONTROL_FILE).rename(data_directory / CONTROL_FILE)
    sync(data_directory / "global")
    for name in (MARKER, OLD_CONTROL_FILE):
        (data_directory / name).unlink(missing_ok=True)
    sync(data_directory / "global")
