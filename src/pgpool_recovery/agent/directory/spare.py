"""Room kept in a workspace, so that what is written to undo a run fits on a full disk.

A disk fills while a copy grows, and then the records from which a swap or a change is undone would
not fit either. The file is made before anything is touched, so a disk without room for it is
reported first. The room is given up for the first record that needs it.
"""

import os
from pathlib import Path

from pgpool_recovery.files.write import write_file
from pgpool_recovery.host.system_failure import FULL

SPARE = "spare"
SPARE_BYTES = 64 * 1024
"""Sixteen blocks of ext4: records and settings take one or two each, and a directory may grow."""


def make_spare(workspace: Path) -> None:
    """Make the file again, with contents that no filesystem can compress."""
    write_file(workspace / SPARE, os.urandom(SPARE_BYTES))


def drop_spare(workspace: Path) -> bool:
    """Release the room; return whether there was any."""
    try:
        (workspace / SPARE).unlink()
    except FileNotFoundError:
        return False
    return True


def write_with_spare(workspace: Path, file: Path, contents: str) -> None:
    """Write a file; use the kept room if there is no other."""
    try:
        write_file(file, contents)
    except OSError as error:
        if error.errno not in FULL or not drop_spare(workspace):
            raise
        write_file(file, contents)
