"""Room kept in a workspace, so that what is written to take a run back fits on a full disk.

A disk fills while a copy grows, and then the notes by which a swap or a change is undone would not
fit either. The file is made when nothing has been touched yet: a disk without room for it is told
before anything else happens. It is given up for the first note that needs it.
"""

import os
from pathlib import Path

from pgpool_recovery.files.write import write_file
from pgpool_recovery.host.system_failure import FULL

SPARE = "spare"
SPARE_BYTES = 64 * 1024
"""Sixteen blocks of ext4: notes and settings take one or two each, and a directory may grow."""


def make_spare(workspace: Path) -> None:
    """Make the file anew; it holds what no filesystem makes smaller."""
    write_file(workspace / SPARE, os.urandom(SPARE_BYTES))


def drop_spare(workspace: Path) -> bool:
    """Give the room away; say whether there was any."""
    try:
        (workspace / SPARE).unlink()
    except FileNotFoundError:
        return False
    return True


def write_with_spare(workspace: Path, file: Path, contents: str) -> None:
    """Write a file, with the kept room where there is no other."""
    try:
        write_file(file, contents)
    except OSError as error:
        if error.errno not in FULL or not drop_spare(workspace):
            raise
        write_file(file, contents)
