"""Read the workspace of a build that had no journal yet, as an entry of the journal.

Such a build wrote one file for each thing that it had to remember: ``places``, ``swapping`` (which
places were empty, during a swap), ``taken`` (how far it was with a directory that it had taken
out), ``former_slot`` and ``failed_starts``. They are read once, by the first recovery that holds
the lock. They are removed when the journal has been written, ``places`` first.

Such a build writes ``places`` when a run begins, and does not know the journal. So if ``places``
exists, these files are valid even beside a journal: the older build was installed again.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pgpool_recovery.agent.directory.entry import (
    Entry,
    NotAnEntry,
    count,
    decode_places,
    flags,
    text,
)
from pgpool_recovery.agent.directory.own_files import OWN
from pgpool_recovery.domain.directory_state import (
    Changing,
    Finished,
    Free,
    Out,
    Putting,
    Removed,
    Removing,
    State,
    Swapping,
)
from pgpool_recovery.facts.step.place import Place
from pgpool_recovery.files.trust import read_own
from pgpool_recovery.files.write import sync

PLACES, SWAPPING, TAKEN = "places", "swapping", "taken"
FORMER_SLOT, FAILED_STARTS = "former_slot", "failed_starts"
FILES = (PLACES, SWAPPING, TAKEN, FORMER_SLOT, FAILED_STARTS)
WHOLE, FINISHED, DONE = "whole", "finished", "done"
"""Contents of ``taken`` other than a method: out but unchanged, changed, on its way back."""
IN_USE = frozenset(
    {"old", "new", "moving", "condemned", OWN, "own.growing", "wal", TAKEN, SWAPPING}
)
"""Entries which show that a run of such a build had done something to the directories."""
ON_ITS_WAY = frozenset({"moving", "condemned", TAKEN, SWAPPING})
"""Entries that such a build does not leave when it discards a workspace: they may be the data."""

T = TypeVar("T")


def is_older(workspace: Path) -> bool:
    """Return whether a build without a journal has worked in a workspace."""
    return any((workspace / name).exists() for name in FILES)


def read_older(workspace: Path) -> Entry:
    """Return what the files of such a build say.

    Raises OSError and Untrusted when one cannot be read, and NotAnEntry when one is not what that
    build wrote; `blamed` returns which.
    """
    places = _places(workspace)
    return Entry(
        places=places,
        state=_state(workspace, places) if places else Free(),
        former_slot=_unless_empty(workspace / FORMER_SLOT, text),
        failed_starts=_unless_empty(workspace / FAILED_STARTS, count) or 0,
    )


def has_places(workspace: Path) -> bool:
    """Return whether the files of such a build are valid, whether or not there is a journal."""
    return (workspace / PLACES).exists()


def remove_older(workspace: Path) -> None:
    """Remove the files: the journal has their contents, and is valid once the list is gone."""
    for name in FILES:
        (workspace / name).unlink(missing_ok=True)
        if name == PLACES:
            sync(workspace)
    sync(workspace)


def _places(workspace: Path) -> tuple[Place, ...]:
    """Return the list of places; empty when nothing was begun.

    The first of those builds wrote the list in place, before anything else: on a full disk it
    stayed empty, with nothing else in the workspace. A workspace that was being discarded, after
    the new server had run, may have lost the list before the rest.
    """
    file = workspace / PLACES
    names = {entry.name for entry in workspace.iterdir()}
    if file.exists():
        if names.isdisjoint(IN_USE) and _is_empty(file):
            return ()
    elif names.isdisjoint(ON_ITS_WAY):
        return ()
    places = _read(file, decode_places)
    if not places:
        raise _Blamed(file, "it does not exist" if places is None else "it names no place")
    return places


def _state(workspace: Path, places: tuple[Place, ...]) -> State:
    """Return the state: that of a swap first, then of a removal, then of a directory that is out.

    A swap and a removal can be interrupted while ``taken`` still exists, so it is not enough.
    """
    was_empty = _read(workspace / SWAPPING, flags)
    taken = _read(workspace / TAKEN, text)
    data = places[-1]
    if was_empty is not None:
        if taken in (WHOLE, FINISHED, DONE):  # No such build swaps while a whole directory is out.
            raise _Blamed(workspace / TAKEN, f"it says {taken} although a swap is going on")
        has_been_removed = was_empty.get(data.path, False) and (workspace / OWN).exists()
        return Swapping("removed" if has_been_removed else "reserved", was_empty)
    if any((Path(place.workspace) / "condemned").exists() for place in places):
        return Removing(is_out=taken is not None)
    match taken:
        case None:
            return Removed() if _is_removed(data, workspace) else Free()
        case "whole":
            return Out()
        case _ if taken != DONE and not (workspace / "new").exists():
            return Removed()  # It was being removed, and this file was the last of it.
        case "finished":
            return Finished()
        case "done":
            return Putting()
        case method:
            return Changing(method, None)


def _is_removed(data: Place, workspace: Path) -> bool:
    """Return whether the data is gone and only the node's own files are left."""
    with suppress(PermissionError):  # `observe` reports that for the data directory.
        return (workspace / OWN).exists() and not Path(data.path, "global/pg_control").exists()
    return False


class _Blamed(NotAnEntry):
    """A file does not contain what that build wrote."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(why)
        self.file = file


def blamed(error: Exception, workspace: Path) -> Path:
    """Return the file that could not be read."""
    if isinstance(error, _Blamed):
        return error.file
    return Path(getattr(error, "filename", None) or getattr(error, "path", None) or workspace)


def _unless_empty(file: Path, as_kind: Callable[[object], T]) -> T | None:
    return None if _is_empty(file) else _read(file, as_kind)


def _is_empty(file: Path) -> bool:
    """Return whether a file is empty, or has only zeros, as a filesystem may after a crash."""
    try:
        return not read_own(file).strip(b"\0 \n")
    except FileNotFoundError:
        return False


def _read(file: Path, as_kind: Callable[[object], T]) -> T | None:
    try:
        data = read_own(file)
    except FileNotFoundError:
        return None
    if not data.strip(b"\0 \n"):
        raise _Blamed(file, "it is empty, as after a crash or on a full disk")
    try:
        return as_kind(json.loads(data))
    except NotAnEntry as error:
        raise _Blamed(file, str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _Blamed(file, f"it is not JSON: {error}") from error
