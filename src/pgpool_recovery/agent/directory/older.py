"""The workspace of a build that had no journal yet: what its files say, as an entry of the journal.

Such a build wrote one file for each thing that it wanted to remember: ``places``, ``swapping``
(which places were empty, while a swap was going on), ``taken`` (how far the directory was that it
had taken out), ``former_slot`` and ``failed_starts``. They are read once, by the first recovery
that has the lock, and go when the journal is there; ``places`` goes first.

Such a build writes ``places`` when a run begins, and knows of no journal. So where ``places``
stands these files hold, also beside a journal: somebody went back to that build.
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
from pgpool_recovery.facts.step import Place
from pgpool_recovery.files.trust import read_own
from pgpool_recovery.files.write import sync

PLACES, SWAPPING, TAKEN = "places", "swapping", "taken"
FORMER_SLOT, FAILED_STARTS = "former_slot", "failed_starts"
FILES = (PLACES, SWAPPING, TAKEN, FORMER_SLOT, FAILED_STARTS)
WHOLE, FINISHED, DONE = "whole", "finished", "done"
"""What ``taken`` held besides the name of a method: put back whole, changed, on its way back."""
IN_USE = frozenset(
    {"old", "new", "moving", "condemned", OWN, "own.growing", "wal", TAKEN, SWAPPING}
)
"""What shows that a run of such a build had done something to the directories."""
ON_ITS_WAY = frozenset({"moving", "condemned", TAKEN, SWAPPING})
"""What such a build never leaves when it discards a workspace: the data may be there."""

T = TypeVar("T")


def is_older(workspace: Path) -> bool:
    """Say whether a build without a journal was at work in a workspace."""
    return any((workspace / name).exists() for name in FILES)


def read_older(workspace: Path) -> Entry:
    """Return what the files of such a build say.

    Raises OSError and Untrusted when one cannot be read, and NotAnEntry when one is not what that
    build wrote; `blamed` says which.
    """
    places = _places(workspace)
    return Entry(
        places=places,
        state=_state(workspace, places) if places else Free(),
        former_slot=_unless_empty(workspace / FORMER_SLOT, text),
        failed_starts=_unless_empty(workspace / FAILED_STARTS, count) or 0,
    )


def has_places(workspace: Path) -> bool:
    """Say whether what such a build says holds, be there a journal or none."""
    return (workspace / PLACES).exists()


def remove_older(workspace: Path) -> None:
    """Remove the files: their contents are in the journal, which holds once the list is gone."""
    for name in FILES:
        (workspace / name).unlink(missing_ok=True)
        if name == PLACES:
            sync(workspace)
    sync(workspace)


def _places(workspace: Path) -> tuple[Place, ...]:
    """Return the list of places; none when nothing was begun.

    The first of those builds wrote the list in place, and first of all: on a full disk it stayed
    empty, with nothing else in the workspace. A workspace that was being discarded, when the new
    server had run, may have lost the list before the rest.
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
        raise _Blamed(file, "it is not there" if places is None else "it names no place")
    return places


def _state(workspace: Path, places: tuple[Place, ...]) -> State:
    was_empty = _read(workspace / SWAPPING, flags)
    taken = _read(workspace / TAKEN, text)
    data = places[-1]
    if was_empty is not None:
        if taken in (WHOLE, FINISHED, DONE):  # No such build swaps while one is out that is whole.
            raise _Blamed(workspace / TAKEN, f"a swap is going on, and yet it says {taken}")
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
            return Removed()  # It was being removed, and this file the last of it.
        case "finished":
            return Finished()
        case "done":
            return Putting()
        case method:
            return Changing(method, None)


def _is_removed(data: Place, workspace: Path) -> bool:
    """Say whether the data is gone and only the node's own files are left of it."""
    with suppress(PermissionError):  # Nobody may look: `observe` says so of the data directory.
        return (workspace / OWN).exists() and not Path(data.path, "global/pg_control").exists()
    return False


class _Blamed(NotAnEntry):
    """A file that holds something else."""

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
    """Say whether a file has no contents, or zeros, which a filesystem may leave after a crash."""
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
        raise _Blamed(file, "it is empty, as a full disk or a crash leaves it")
    try:
        return as_kind(json.loads(data))
    except NotAnEntry as error:
        raise _Blamed(file, str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _Blamed(file, f"it holds something else: {error}") from error
