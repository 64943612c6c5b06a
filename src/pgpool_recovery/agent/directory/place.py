"""Facts about a directory of this host, whether it exists or not."""

import os
import stat
from collections.abc import Callable
from pathlib import Path, PurePath

from pgpool_recovery.agent.directory.workspace import is_workspace
from pgpool_recovery.domain.data_directory import NO_DATA, WORKSPACE
from pgpool_recovery.facts.facts import PlaceFacts
from pgpool_recovery.facts.step.place import Place
from pgpool_recovery.host.filesystem import (
    can_rename,
    filesystem_of,
    identity_of,
    is_layered,
    size_of,
)
from pgpool_recovery.host.way import trusted_directory

ANOTHER_USER = "it belongs to another user"
OLD = "old"
"""Where the directory that a copy replaced waits in the workspace."""
NEW = "new"
"""Where the copy grows in the workspace."""


def observe_place(
    path: Path, *, is_own: bool, got_on: Callable[[], None] = lambda: None
) -> PlaceFacts:
    """Return what is known about a directory; `path` may be a symbolic link to it.

    `is_own`: it is known to be the node's; so is one that an earlier recovery replaced. Raises
    Refused when another user can put a different directory there.
    """
    real = trusted_directory(path)
    problem = _problem(real)
    exists = problem is None and real.is_dir()
    waiting_bytes = _waiting_bytes(real, got_on)
    is_movable = can_rename(real)
    return PlaceFacts(
        path=str(real),
        exists=exists,
        size_bytes=size_of(real, got_on) if exists else 0,
        can_write=is_movable or (exists and os.access(real, os.W_OK | os.X_OK)),
        can_rename=is_movable,
        filesystem=filesystem_of(real),
        identity=identity_of(real),
        waiting_bytes=waiting_bytes,
        is_empty=not exists or all(entry.name in NO_DATA for entry in real.iterdir()),
        is_own=is_own or waiting_bytes is not None,
        problem=problem,
        is_of_another_user=problem == ANOTHER_USER,
        is_layered=exists and is_layered(real),
    )


def _problem(real: Path) -> str | None:
    try:
        status = real.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return os.strerror(error.errno).lower() if error.errno else "it cannot be read"
    if not stat.S_ISDIR(status.st_mode):
        return "it is not a directory"
    return None if status.st_uid == os.geteuid() else ANOTHER_USER


def _waiting_bytes(real: Path, got_on: Callable[[], None]) -> int | None:
    waiting = [workspace / OLD for workspace in workspaces_of(real)]
    sizes = [size_of(directory, got_on) for directory in waiting if directory.is_dir()]
    return sum(sizes) if sizes else None


def workspaces_of(path: Path) -> tuple[Path, ...]:
    """Return the existing workspaces of a directory: beside it, and inside.

    Raises Refused when another user can have created one of them.
    """
    return tuple(workspace for workspace in _possible(path) if is_workspace(workspace))


def workspace_of(path: Path) -> Path:
    """Return where the workspace of a directory is or would be: inside, if it cannot be renamed."""
    return _beside(path) if can_rename(path) else path / WORKSPACE


def could_be_place(place: Place, workspace: Path) -> bool:
    """Return whether that place could be prepared in this workspace."""
    path = Path(place.path)
    inner = PurePath(place.new).relative_to(workspace) if _is_below(place.new, workspace) else None
    return (
        path.is_absolute()
        and ".." not in path.parts
        and workspace == (path / WORKSPACE if place.is_inside else _beside(path))
        and inner is not None
        and inner.parts[:1] == (NEW,)
        and len(inner.parts) <= len((NEW, "PG_15_202209061"))
        and ".." not in inner.parts
    )


def _is_below(path: str, directory: Path) -> bool:
    return PurePath(path).is_relative_to(directory)


def _possible(path: Path) -> tuple[Path, Path]:
    return _beside(path), path / WORKSPACE


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.{WORKSPACE}")
