"""All directories of a target together: reserved, swapped, put back, and freed of the old ones.

Whatever line a crash falls on, `tidy` finds one of these states and knows what to do: nothing was
swapped (half copies are removed), a removal or a swap was going on (the one is finished, the other
put back), or all is swapped (the old directories wait until the new server runs). The data
directory is swapped last: until then nothing at its path can be started.

A method that changes the data directory itself takes it out of its place for that time. The file
``taken`` says how far it is: ``whole`` (nothing was changed, it is put back), the name of the
method (it was being changed and stays out: nobody can start it by accident), or ``done`` (it is
put into place).
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pgpool_recovery.agent.directory.own_files import (
    OWN,
    keep_own_files,
    own_entries,
    replace_own_files,
)
from pgpool_recovery.agent.directory.place import could_be_place, workspace_of, workspaces_of
from pgpool_recovery.agent.directory.spare import drop_spare, make_spare, write_with_spare
from pgpool_recovery.agent.directory.workspace import (
    discard,
    entries,
    finish_removal,
    has_condemned,
    has_old,
    is_workspace,
    make_directory,
    make_workspace,
    put_in_place,
    remove,
    remove_contents,
    remove_copy,
    remove_old,
    restore,
    swap_in,
    take_out,
)
from pgpool_recovery.domain.error import Busy, Refused, reason_of
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.step import Place, Places
from pgpool_recovery.files.trust import Untrusted, read_own
from pgpool_recovery.files.write import sync
from pgpool_recovery.host import lock

SWAPPING = "swapping"
PLACES = "places"
FORMER_SLOT = "former_slot"
FAILED_STARTS = "failed_starts"
TAKEN = "taken"
WHOLE, DONE = "whole", "done"
WAL = "wal"
"""What was moved out of a pg_wal (agent/directory/past.py)."""
BACKUP_LABEL = "backup_label"
IN_USE = frozenset(
    {"old", "new", "moving", "condemned", "own", "own.growing", WAL, TAKEN, SWAPPING}
)
"""What shows that a run has done something to the directories."""


def tidy(data_directory: Path) -> None:
    """Bring what an interrupted run left into one of the states that a plan can begin with."""
    for workspace in workspaces_of(data_directory):
        if not has_begun(workspace):
            continue
        with lock.holding(workspace) as is_there:
            if is_there and has_begun(workspace):
                _tidy(_read_places(workspace), workspace)


def is_tidy(data_directory: Path) -> bool:
    """Say whether no removal and no swap was interrupted, and nothing whole is out of its place.

    A half copy beside the data changes no plan.
    """
    return not any(
        (workspace / SWAPPING).exists()
        or taken(workspace) in (WHOLE, DONE)
        or any(has_condemned(place) for place in _read_places(workspace))
        for workspace in workspaces_of(data_directory)
        if has_begun(workspace)
    )


def has_begun(workspace: Path) -> bool:
    """Say whether a run has written down what it works on.

    Earlier builds wrote the list in place, and first of all: on a full disk it stayed empty, with
    nothing else in the workspace, and then nothing was begun.
    """
    return (workspace / PLACES).exists() and not is_blank(workspace)


def is_blank(workspace: Path) -> bool:
    """Say whether the list of places holds nothing, and nothing else waits in the workspace."""
    return _is_empty(workspace / PLACES) and not any(
        entry.name in IN_USE for entry in workspace.iterdir()
    )


def _is_empty(file: Path) -> bool:
    """Say whether a file has no contents, or zeros, which a filesystem may leave after a crash."""
    try:
        return not read_own(file).strip(b"\0 \n")
    except FileNotFoundError:
        return False
    except (OSError, Untrusted):
        return False  # Whoever reads it says so.


def _tidy(places: tuple[Place, ...], workspace: Path) -> None:
    drop_spare(workspace)
    for place in places:
        finish_removal(place)
    was_empty = swapping(workspace)
    if was_empty is not None:
        put_back(places, was_empty)
    if taken(workspace) in (WHOLE, DONE):
        put_taken_in_place(places[-1])
    if _is_made_anew(Path(places[-1].path), workspace):
        remove(workspace / OWN)
        (workspace / TAKEN).unlink()
    _remove_copies(places, workspace)


def _remove_copies(places: tuple[Place, ...], workspace: Path) -> None:
    """Remove all copies, but not the data directory itself that was taken out."""
    for place in places:
        if place is not places[-1] or taken(workspace) is None:
            remove_copy(place)


def reserve(places: Places) -> int:
    """Make the workspaces and lock them; return the descriptor that holds the lock.

    Raises Busy when another agent has it. What an earlier run wrote down is kept: the tablespaces
    of the primary may be others by now.
    """
    workspace = Path(places.data.workspace)
    held = _make_and_lock(workspace)
    try:
        for place in places.all():
            make_workspace(Path(place.workspace))
        earlier = _read_places(workspace) if has_begun(workspace) else ()
        known = {place.path: place for place in (*earlier, *places.all())}
        known[places.data.path] = known.pop(places.data.path)  # The data directory is the last.
        _write(workspace / PLACES, [_as_json(place) for place in known.values()])
        make_spare(workspace)
    except BaseException:
        _give_up(places, workspace, held)
        raise
    return held


def _give_up(places: Places, workspace: Path, held: int) -> None:
    """Let go of a target that could not be reserved: what was made of nothing goes, and the lock.

    What an earlier run left is known by more than the list of places.
    """
    try:
        drop_spare(workspace)
        if has_begun(workspace):
            known = _read_places(workspace)
            _discard_without_use(known, workspace)
        elif is_blank(workspace):
            (workspace / PLACES).unlink(missing_ok=True)
        for place in places.all():
            with suppress(OSError):  # Something else is in it.
                Path(place.workspace).rmdir()
        if workspace.is_dir() and {e.name for e in workspace.iterdir()} <= {lock.LOCK_NAME}:
            lock.remove_lock(workspace)
    finally:
        lock.unlock(held)


def _make_and_lock(workspace: Path) -> int:
    """Make a workspace and lock it; whoever ends just now may remove it in between."""
    for _ in range(lock.TRIES):
        try:
            make_workspace(workspace)
            return lock.lock(workspace)
        except (FileNotFoundError, FileExistsError):
            continue
        except OSError:  # No room for the lock's file.
            with suppress(OSError):
                workspace.rmdir()
            raise
    raise Busy("other recoveries of this node begin and end all the time", hint="Try again.")


def discard_waiting(workspace: Path) -> None:
    """Remove all directories that an earlier run replaced; the data directory's own is the last."""
    for place in _read_places(workspace):
        remove_old(place)


def put_waiting_back(workspace: Path) -> None:
    """Put back all directories that an earlier run replaced.

    With the node's own files as they are now: somebody may have mended what kept the copy from
    running.
    """
    places = _read_places(workspace)
    data = places[-1]
    if has_old(data) and own_entries(Path(data.path)):
        replace_own_files(Path(data.path), Path(data.old))
    put_back(places, {})


def old_waits(workspace: Path) -> bool:
    """Say whether a directory waits there that a copy has replaced."""
    return has_begun(workspace) and any(has_old(place) for place in _read_places(workspace))


def is_unstarted(data_directory: Path) -> bool:
    """Say whether this is a base backup that no server has begun to recover.

    Recovery renames the file away as soon as it has read it (StartupXLOG).
    """
    return (data_directory / BACKUP_LABEL).exists()


def release(workspace: Path, held: int) -> None:
    """Remove the half copies, and the workspaces unless something waits in them."""
    places = _read_places(workspace)
    _remove_copies(places, workspace)
    drop_spare(workspace)
    _discard_without_use(places, workspace)
    lock.unlock(held)


def _discard_without_use(places: tuple[Place, ...], workspace: Path) -> None:
    """Remove the workspaces unless something waits in them, or is on its way."""
    waits = any(has_old(place) or has_condemned(place) for place in places)
    notes = (OWN, WAL, FORMER_SLOT, FAILED_STARTS, TAKEN, SWAPPING)
    if not waits and not any((workspace / name).exists() for name in notes):
        for place in places:
            discard(Path(place.workspace))


def empty_places(places: Places) -> dict[str, bool]:
    """Return for each place whether nothing stands there yet."""
    return {place.path: not entries(place) for place in places.all()}


def swap(places: Places) -> Mapping[str, bool]:
    """Put all copies in place; return for each place whether it was empty before."""
    workspace, was_empty = Path(places.data.workspace), empty_places(places)
    _write(workspace / SWAPPING, was_empty)
    for place in places.all():
        swap_in(place)
    _remove_mark(workspace)
    return was_empty


def has_swapped(places: Places, was_empty: Mapping[str, bool]) -> bool:
    """Say whether a swap has put anything in place, whatever it failed on."""
    is_amid = swapping(Path(places.data.workspace)) is not None
    return is_amid or any(
        has_old(place) or (was_empty[place.path] and entries(place)) for place in places.all()
    )


def swapping(workspace: Path) -> dict[str, bool] | None:
    """Return which places were empty before a swap that has not ended; None when there is none."""
    return _read(workspace / SWAPPING, _flags)


def put_back(places: tuple[Place, ...], was_empty: Mapping[str, bool]) -> None:
    """Put all old directories back; the new data directory goes out of the way first."""
    workspace = Path(places[-1].workspace)
    if swapping(workspace) != dict(was_empty):
        _write(workspace / SWAPPING, dict(was_empty))
    for place in reversed(places):
        restore(place, was_empty=was_empty.get(place.path, False))
    _remove_mark(workspace)


def remove_old_data(places: Places) -> None:
    """Remove the old data where it stands and where it waits; the node's own files are kept."""
    save_own_files(places.data)
    for place in reversed(places.all()):
        remove_contents(place)
        remove_old(place)
    remove_copy(places.data)  # It may be the directory itself, half changed.
    (Path(places.data.workspace) / TAKEN).unlink(missing_ok=True)


def save_own_files(data: Place) -> None:
    """Put the node's own files aside, while the directory that holds them is changed or gone."""
    if not entries(data):
        return
    own = Path(data.workspace) / OWN
    growing = own.with_name("own.growing")
    remove(growing)
    make_directory(growing)
    keep_own_files(Path(data.path), growing)
    remove(own)
    growing.rename(own)
    sync(own.parent)


def take_data_out(data: Place) -> None:
    """Take the data directory out of its place, so that nothing starts while it is changed."""
    save_own_files(data)
    _write(Path(data.workspace) / TAKEN, WHOLE)
    take_out(data)


def mark_changing(workspace: Path, method: str) -> None:
    """Write down, before the first change, by which method the directory is being changed."""
    if taken(workspace) is not None:
        _write(workspace / TAKEN, method)


def put_taken_in_place(data: Place) -> None:
    """Put the data directory into place that was taken out."""
    workspace = Path(data.workspace)
    if taken(workspace) not in (None, WHOLE, DONE):
        _write(workspace / TAKEN, DONE)
    put_in_place(data)
    (workspace / TAKEN).unlink(missing_ok=True)
    remove(workspace / OWN)  # They are in the directory, as they were or put there again.
    sync(workspace)


def forget_own_files(data: Place) -> None:
    """Remove the node's own files that were put aside, where its data directory still has them."""
    if taken(Path(data.workspace)) is None and own_entries(Path(data.path)):
        remove(Path(data.workspace) / OWN)


def taken(workspace: Path) -> str | None:
    """Return how far the change of a directory is that was taken out; None when none was."""
    return _read(workspace / TAKEN, _text)


def changing(data_directory: Path) -> tuple[Path, str] | None:
    """Return a half changed directory in the workspace of this one, and the method's name."""
    for workspace in workspaces_of(data_directory):
        method = taken(workspace)
        if method not in (None, WHOLE, DONE) and not _is_made_anew(data_directory, workspace):
            return workspace / "new", str(method)
    return None


def _is_made_anew(data_directory: Path, workspace: Path) -> bool:
    """Say whether somebody has made the data directory by hand since a change was interrupted.

    Then what was half changed is of no use any more. While one of ours is taken out there is no
    control file in its place: it is moved first, and comes back last.
    """
    if taken(workspace) in (None, WHOLE, DONE):
        return False
    try:
        return (data_directory / "global" / "pg_control").exists()
    except OSError:  # Nobody may look: `observe` says so of the data directory.
        return False


def note_former_slot(places: Places, name: str) -> None:
    """Write down by which slot the old server streamed, until nobody can want it back."""
    _write(Path(places.data.workspace) / FORMER_SLOT, name)


def note_failed_start(data_directory: Path) -> None:
    """Count that a server did not come to stream after a recovery."""
    count = failed_starts(data_directory) + 1
    workspace, *_ = (*workspaces_of(data_directory), workspace_of(data_directory))
    make_workspace(workspace)
    _write(workspace / FAILED_STARTS, count)


def failed_starts(data_directory: Path) -> int:
    """Return how often in a row a server has failed after a recovery."""
    files = (workspace / FAILED_STARTS for workspace in workspaces_of(data_directory))
    counts = (None if _is_empty(file) else _read(file, _count) for file in files)
    return next((count for count in counts if count is not None), 0)


def forget_former_slot(workspace: Path) -> None:
    """Remove what was written down: the old server may stream by it again."""
    (workspace / FORMER_SLOT).unlink(missing_ok=True)


def former_slot(data_directory: Path) -> str | None:
    """Return what was written down for this target."""
    files = (workspace / FORMER_SLOT for workspace in workspaces_of(data_directory))
    names = (None if _is_empty(file) else _read(file, _text) for file in files)
    return next((name for name in names if name is not None), None)


def discard_old(data_directory: Path) -> bool:
    """Remove the workspaces of a target whose new server runs; return whether old data waited."""
    found = False
    for workspace in workspaces_of(data_directory):
        if has_begun(workspace) and is_unstarted(data_directory):
            raise Refused(f"the copy in {data_directory} has not been started")
        with lock.holding(workspace) as is_there:
            if not is_there:
                continue
            # Without a list of places there is nothing but a count of failed starts.
            places = _read_places(workspace) if has_begun(workspace) else ()
            found = found or any(has_old(place) for place in places)
            for place in places[:-1]:
                discard(Path(place.workspace))
            discard(workspace)  # The lock goes with it: from then on it may be another's.
    return found


def _read_places(workspace: Path) -> tuple[Place, ...]:
    """Return what an earlier run wrote down; Refused when this target cannot have such places."""
    file = workspace / PLACES
    places = _read(file, _places)
    if places is None:
        raise _unreadable(file, "It is not there.")
    for place in places:
        if not could_be_place(place, Path(place.workspace)):
            raise _unreadable(file, f"It names a place that no recovery makes: {place}.")
        is_workspace(Path(place.workspace))  # Nobody else's.
    if not places or Path(places[-1].workspace) != workspace:
        raise _unreadable(file, "The data directory is not the last of its places.")
    return places


def _as_json(place: Place) -> dict[str, object]:
    return {
        "path": place.path,
        "workspace": place.workspace,
        "is_inside": place.is_inside,
        "new": place.new,
    }


def _write(file: Path, value: object) -> None:
    """Write a note; on a full disk with the room that was kept for that."""
    write_with_spare(file.parent, file, json.dumps(value))


T = TypeVar("T")


def _read(file: Path, as_kind: Callable[[Any], T]) -> T | None:
    """Return what an earlier run wrote down, or None; Refused when it is not what we write.

    Nobody can say then what is to be done with the directories, but a person who looks at them.
    """
    try:
        return as_kind(json.loads(read_own(file)))
    except FileNotFoundError:
        return None
    except Untrusted as untrusted:
        raise _unreadable(file, f"{untrusted.why}.") from untrusted
    except OSError as error:
        raise _unreadable(file, f"{reason_of(error)}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if _is_empty(file):
            raise _unreadable(file, "It is empty, as a full disk or a crash leaves it.") from error
        raise _unreadable(file, f"It holds something else: {error}.") from error


def _unreadable(file: Path, detail: str) -> Refused:
    is_amid = file.name in (TAKEN, SWAPPING)
    return Refused(
        f"what an earlier recovery wrote to {file} cannot be read",
        detail=detail,
        hint=f"Look at the directories in {file.parent}: old is what a copy has replaced, new a "
        "copy, or the data directory itself while it was changed. Move what you want to keep to "
        "its place, then remove the rest, and recover again.",
        target=TargetState.INCOMPLETE if is_amid else TargetState.UNTOUCHED,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("it is no text")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("it is no number")
    return value


def _flags(value: dict[str, Any]) -> dict[str, bool]:
    if not all(isinstance(flag, bool) for flag in value.values()):
        raise TypeError("it has something else than true and false")
    return value


def _places(value: list[dict[str, Any]]) -> tuple[Place, ...]:
    return tuple(
        Place(
            path=_text(each["path"]),
            workspace=_text(each["workspace"]),
            is_inside=bool(each["is_inside"]),
            new=_text(each["new"]),
        )
        for each in value
    )


def _remove_mark(workspace: Path) -> None:
    (workspace / SWAPPING).unlink()
    sync(workspace)
