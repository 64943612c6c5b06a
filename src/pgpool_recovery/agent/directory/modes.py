"""The modes of what is created in a data directory: those that its own server would use.

They follow the mode of the data directory (GetDataDirectoryCreatePerm in file_perm.c): if the
owner's group may read that, as after initdb --allow-group-access, it may read the contents.
"""

import stat
from contextlib import suppress
from pathlib import Path

from pgpool_recovery.agent.directory.workspace import make_directory

GROUP = stat.S_IRGRP | stat.S_IXGRP
OWNER = stat.S_IRWXU


def directory_mode(data_directory: Path) -> int:
    """Return the mode for a new directory."""
    is_for_group = data_directory.stat().st_mode & GROUP == GROUP
    return OWNER | GROUP if is_for_group else OWNER


def file_mode(data_directory: Path) -> int:
    """Return the mode for a new file."""
    return directory_mode(data_directory) & 0o640


def kept_mode(file: Path) -> int:
    """Return the mode for the replacement of a file: it never gives others more access."""
    mode = file_mode(file.parent)
    with suppress(OSError):
        mode &= file.stat().st_mode
    return mode | stat.S_IRUSR | stat.S_IWUSR


def make_location(location: Path, data_directory: Path) -> None:
    """Make the directory of a tablespace, unless it exists."""
    if not location.exists():
        make_directory(location)
        location.chmod(directory_mode(data_directory))  # The agent's umask denies group and others.
