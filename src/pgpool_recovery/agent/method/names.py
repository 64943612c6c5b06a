"""Look for two names of one file in a data directory, before a method writes into its files.

A server never makes any. A block that is written under the one name is changed under the other,
too: a method that compares and writes one file after the other would report both as equal to the
source's, and one that writes only what has changed would change what has not.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from pgpool_recovery.agent.method.data_files import data_directories
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.host.version_file import read_major


def check_names(data_directory: Path, check: Callable[[], None]) -> None:
    """Raise Refused if two paths of the cluster's data lead to one file or directory.

    A name outside is no matter: pg_upgrade --link leaves one for every file, also in a tablespace.
    Neither is one in pg_wal: up to 15 the server itself may leave a second one there when it
    crashes (durable_rename_excl in fd.c). `check` is called in between and may raise.
    """
    seen = dict[tuple[int, int], str]()
    for top in data_directories(data_directory, major=_major(data_directory)):
        if top.is_dir():
            _see(str(top), top.stat(), seen)
            _check_below(top, seen, check)


def _major(data_directory: Path) -> int:
    """Return the major version; 0, which no tablespace is of, if a restore has not written it."""
    try:
        return read_major(data_directory)
    except (OSError, ValueError):
        return 0


def _check_below(
    directory: Path, seen: dict[tuple[int, int], str], check: Callable[[], None]
) -> None:
    with os.scandir(directory) as entries:
        for entry in entries:
            check()
            status = entry.stat(follow_symlinks=False)
            is_directory = stat.S_ISDIR(status.st_mode)
            if is_directory or status.st_nlink > 1:
                _see(entry.path, status, seen)
            if is_directory:
                _check_below(Path(entry.path), seen, check)


def _see(path: str, status: os.stat_result, seen: dict[tuple[int, int], str]) -> None:
    other = seen.setdefault((status.st_dev, status.st_ino), path)
    if other != path:
        raise Refused(
            f"{path} and {other} are the same file",
            detail="A server never makes one file of two (hard links, bind mounts), so what they "
            "hold cannot be told apart.",
            hint="Make a full copy.",
        )
