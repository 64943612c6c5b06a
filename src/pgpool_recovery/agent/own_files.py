"""The node's own files in its data directory, which no recovery may take away."""

import os
import shutil
import stat
from pathlib import Path

from pgpool_recovery.agent.place import workspaces_of
from pgpool_recovery.agent.workspace import remove, sync
from pgpool_recovery.files.write import copy_file

OWN = "own"
"""Where they wait in the workspace while the old data is gone and the new not yet there."""

CLUSTER_ENTRIES = frozenset(
    {
        "PG_VERSION",
        "base",
        "global",
        "pg_commit_ts",
        "pg_dynshmem",
        "pg_logical",
        "pg_multixact",
        "pg_notify",
        "pg_replslot",
        "pg_serial",
        "pg_snapshots",
        "pg_stat",
        "pg_stat_tmp",
        "pg_subtrans",
        "pg_tblspc",
        "pg_twophase",
        "pg_wal",
        "pg_xact",
        "backup_label",
        "backup_label.old",
        "backup_manifest",
        "tablespace_map",
        "tablespace_map.old",
        "standby.signal",
        "recovery.signal",
        "postmaster.pid",
        "postmaster.opts",
        "current_logfiles",
        "lost+found",
        "pgpool_recovery",
    }
)
"""What belongs to the cluster's contents (storage-file-layout.html) or to one run of a server."""

LOG_DIRECTORIES = ("log", "pg_log")
LOG_SUFFIXES = (".log", ".csv", ".json")


def own_directory(data_directory: Path) -> Path:
    """Return where the node's own files are now: in its data directory, or waiting."""
    if own_entries(data_directory):
        return data_directory
    waiting = (workspace / OWN for workspace in workspaces_of(data_directory))
    return next((own for own in waiting if own.is_dir()), data_directory)


def own_entries(directory: Path) -> list[Path]:
    """Return what stands in a data directory and is not the cluster's."""
    if not os.access(directory, os.R_OK | os.X_OK):
        return []
    return [
        entry
        for entry in directory.iterdir()
        if entry.name not in CLUSTER_ENTRIES and not _is_special(entry)
    ]


def keep_own_files(source: Path, target: Path) -> None:
    """Put the own files of `source` into `target`, in place of what bears the same name.

    Links are kept as links. Logs are linked hard where that is possible, since they can be large
    and are only written at their end; log directories that came from another node go.
    """
    own = own_entries(source)
    for entry in own:
        copy = target / entry.name
        remove(copy)
        if entry.is_dir() and not entry.is_symlink():
            shutil.copytree(
                entry, copy, symlinks=True, copy_function=_link_or_copy, ignore=_special_names
            )
        else:
            _link_or_copy(str(entry), str(copy))
        _sync_tree(copy)
    for name in LOG_DIRECTORIES:
        if own and not (source / name).exists():
            remove(target / name)
    sync(target)


def replace_own_files(source: Path, target: Path) -> None:
    """Give `target` the own files of `source`, and no others."""
    names = {entry.name for entry in own_entries(source)}
    for entry in own_entries(target):
        if entry.name not in names:
            remove(entry)
    keep_own_files(source, target)


def _special_names(directory: str, names: list[str]) -> list[str]:
    return [name for name in names if _is_special(Path(directory) / name)]


def _is_special(path: Path) -> bool:
    """Say whether it is a socket, a pipe or a device, such as a server's socket and no data."""
    mode = path.lstat().st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))


def _link_or_copy(source: str, target: str) -> str:
    if source.endswith(LOG_SUFFIXES):
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError:
            pass  # Another filesystem, or one without hard links: a copy does as well.
        else:
            return target
    return copy_file(source, target)


def _sync_tree(path: Path) -> None:
    """Make a file, or a directory with all that is in it, last."""
    if path.is_symlink():
        return
    if path.is_dir():
        for entry in path.iterdir():
            _sync_tree(entry)
    sync(path)
