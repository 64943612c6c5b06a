"""The guard of a data directory whose files are of two times: no server starts on it.

A server that did would say "consistent recovery state reached" and serve what never was. So the
control file is away from before the first change until after the last one, and a marker says what
the directory was. In the order of the effects a crash leaves one of these:

* no marker: untouched, or done and nothing left of it
* marker and control file: untouched yet, or done but for the marker; the control file and
  backup_label tell the truth in both
* marker and no control file: half applied, and only another run can go on

All of it stands in ``global``, so that nobody takes it for one of the node's own files.
"""

from pathlib import Path

from pgpool_recovery.agent.method.incremental.control_file import CONTROL_FILE
from pgpool_recovery.agent.method.incremental.marker import Marker, decode_marker, encode_marker
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.files.text import read_text
from pgpool_recovery.files.write import sync, write_file

PREFIX = "pgpool_recovery."
MARKER = f"global/{PREFIX}marker"
OLD_CONTROL_FILE = f"global/{PREFIX}pg_control.old"
NEW_CONTROL_FILE = f"global/{PREFIX}pg_control.new"
MAX_MARKER_BYTES = 1 << 30
"""It names every file that is vouched for."""


def is_half_applied(data_directory: Path) -> bool:
    """Say whether a run was interrupted here after its first change."""
    return (data_directory / MARKER).is_file() and not (data_directory / CONTROL_FILE).exists()


def read_marker(data_directory: Path) -> Marker:
    """Return the marker of a half-applied directory; Refused when it cannot be read."""
    try:
        return decode_marker(read_text(data_directory / MARKER, MAX_MARKER_BYTES))
    except FileNotFoundError as error:
        raise Refused(f"{data_directory} has no marker") from error


def raise_guard(data_directory: Path, marker: Marker) -> None:
    """Take the control file away, the marker being safe; one that is raised stays as it is."""
    if is_half_applied(data_directory):
        return
    file = data_directory / MARKER
    write_file(file, encode_marker(marker), growing=f"{file.name}.growing")
    (data_directory / CONTROL_FILE).rename(data_directory / OLD_CONTROL_FILE)
    sync(data_directory / "global")


def lower_guard(data_directory: Path) -> None:
    """Put the new control file in place, now that everything else is, and safe on the disk."""
    (data_directory / NEW_CONTROL_FILE).rename(data_directory / CONTROL_FILE)
    sync(data_directory / "global")
    for name in (MARKER, OLD_CONTROL_FILE):
        (data_directory / name).unlink(missing_ok=True)
    sync(data_directory / "global")
