"""Reserve, take out, swap and walk back all directories of a target together.

Each function records in the journal what it is about to do before it does it. So wherever a crash
happens, there is one way back, `walk_back`: for the run itself when a step failed, and for the next
run when this one is gone. The data directory is swapped last: until then no server can be started
at its path.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pgpool_recovery.agent.directory.journal import (
    JOURNAL,
    Journal,
    has_begun,
    open_new,
    opened,
    read_entry,
)
from pgpool_recovery.agent.directory.own_files import (
    OWN,
    keep_own_files,
    own_directory,
    own_entries,
    replace_own_files,
)
from pgpool_recovery.agent.directory.place import workspace_of, workspaces_of
from pgpool_recovery.agent.directory.spare import SPARE, drop_spare, make_spare
from pgpool_recovery.agent.directory.workspace import (
    Freed,
    discard,
    entries,
    finish_removal,
    has_condemned,
    has_old,
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
    unwatched,
)
from pgpool_recovery.domain.data_directory import BACKUP_LABEL
from pgpool_recovery.domain.directory_state import (
    Changing,
    Done,
    End,
    Finished,
    Free,
    MadeAnew,
    Out,
    PutIn,
    PutOldBack,
    Putting,
    Remove,
    Removing,
    Reserve,
    Restoring,
    State,
    Swap,
    Swapping,
    TakeOut,
    Undo,
    WalkedBack,
    is_amid,
    is_away,
    keeps_copy,
    next_state,
)
from pgpool_recovery.domain.error import Busy, Refused
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.files.write import sync
from pgpool_recovery.host import lock
from pgpool_recovery.host.filesystem import size_of
from pgpool_recovery.host.permit import withdraw_permit

WAL = "wal"
"""What was moved out of a pg_wal (agent/directory/past.py)."""
WORTH_KEEPING_BYTES = 64 * 2**20
"""A full copy that had come less far than that is begun anew: it takes a second."""
WRITERS_END_WITHIN_S = 60.0
"""A receiver of a delta ends when its sender does, or after a write, which a disk may delay."""
OF_NO_RUN = frozenset({JOURNAL, SPARE, lock.LOCK_NAME})
"""All that is in a workspace in which no run has left anything."""


def tidy(data_directory: Path, freed: Freed = unwatched) -> None:
    """Bring what an interrupted run left to a state in which a plan can begin."""
    for workspace in workspaces_of(data_directory):
        if not has_begun(workspace):
            continue
        with opened(workspace) as journal:
            if journal is not None and has_begun(workspace):
                journal.freed = freed
                walk_back(journal)
                rest(journal)


def is_tidy(data_directory: Path) -> bool:
    """Return whether no removal or swap was interrupted, and nothing whole is in the workspace.

    An incomplete copy beside the data does not affect a plan.
    """
    for workspace in workspaces_of(data_directory):
        entry = read_entry(workspace)
        if is_amid(entry.state) or any(map(has_condemned, entry.places)):
            return False
    return True


def reserve(places: Places, freed: Freed = unwatched, *, keeps_copy: bool = False) -> Journal:
    """Make the workspaces and lock the target; return the journal, which holds the lock.

    Raises Busy when another agent holds it. Places that an earlier run recorded are kept, because
    the primary's tablespaces may have changed since. `keeps_copy`: what an earlier run copied is
    not removed.
    """
    journal = open_new(Path(places.data.workspace))
    journal.freed = freed
    try:
        for place in places.all():
            make_workspace(Path(place.workspace))
        walk_back(journal)  # Another run may have been interrupted since the observation.
        if not keeps_copy:
            forget_copy(journal)
        known = {place.path: place for place in (*journal.places, *places.all())}
        known[places.data.path] = known.pop(places.data.path)  # The data directory must be last.
        journal.reserve(tuple(known.values()), Reserve())
        make_spare(journal.workspace)
    except BaseException:
        _give_up(journal, places)
        raise
    return journal


def _give_up(journal: Journal, places: Places) -> None:
    """Release a target that could not be reserved: remove what was made, and release the lock.

    What an earlier run left is kept: `rest` recognizes it by more than the list of places.
    """
    try:
        if not is_amid(journal.state):
            rest(journal)
        for place in places.all():
            with suppress(OSError):  # It is not empty.
                Path(place.workspace).rmdir()
    finally:
        journal.close()


def walk_back(journal: Journal) -> State:
    """Go back from wherever a run was to a state in which a plan can begin; return that state.

    Each effect can be repeated, and the journal says what was going on until all of them are done.
    So if this is interrupted, it is done once more. What a method has half changed stays in the
    workspace, so that no server starts on it. A swap goes back as a whole, because half of the
    directories are from another point in time than the rest. A removal goes on, because what is
    left is not a data directory.
    """
    drop_spare(journal.workspace)  # The room is kept for this.
    withdraw_permit(journal.workspace, within_s=WRITERS_END_WITHIN_S, check=lambda: None)
    if not journal.places:
        return journal.state
    *_, data = journal.places
    for place in journal.places:
        finish_removal(place, journal.freed)
    match journal.state:
        case Swapping(_, was_empty) | Restoring(_, was_empty):
            _put_back(journal, was_empty)
        case Out() | Putting():
            put_in_place(data)
            sync(journal.workspace)
        case Removing(is_out=True):
            remove_copy(data, journal.freed)
    journal.take(WalkedBack(is_gone=not entries(data)))
    if is_made_anew(journal.state, Path(data.path)):
        remove(journal.workspace / OWN)
        journal.take(MadeAnew())
    if not is_away(journal.state) and own_entries(Path(data.path)):
        remove(journal.workspace / OWN)  # They are in the directory, unchanged.
    _remove_copies(journal)
    return journal.state


def undo(journal: Journal) -> State:
    """Go back as the run itself: even what it has already swapped in is undone."""
    journal.take(Undo())
    return walk_back(journal)


def rest(journal: Journal) -> None:
    """End a run: remove incomplete copies, and the workspaces unless something waits in them.

    What can wait is what was copied of a full copy, if it is worth going on from; a directory that
    a copy replaced; own files or WAL without a place; a half changed directory; or something to
    remember about the node.
    """
    if journal.copy is not None and copied_bytes(journal) < WORTH_KEEPING_BYTES:
        journal.note_copy(None)
    elif journal.copy is not None:
        # It may be complete. No one must start a server where it waits, or take it for the data.
        (Path(journal.places[-1].new) / "global" / "pg_control").unlink(missing_ok=True)
    _remove_copies(journal)
    state = next_state(journal.state, End())
    waits = journal.copy is not None or any(
        has_old(place) or has_condemned(place) for place in journal.places
    )
    kept = any((journal.workspace / name).exists() for name in (OWN, WAL))
    if waits or kept or journal.has_facts or state != Free():
        journal.take(End())  # This may need the spare room, which is released next.
        drop_spare(journal.workspace)
        return
    drop_spare(journal.workspace)
    for place in journal.places:
        discard(Path(place.workspace), journal.freed)
    if not journal.places and {e.name for e in journal.workspace.iterdir()} <= OF_NO_RUN:
        discard(journal.workspace, journal.freed)


def forget_copy(journal: Journal) -> None:
    """Remove what was copied of a full copy: it is of no use, or in the way."""
    journal.note_copy(None)
    _remove_copies(journal)


def copied_bytes(journal: Journal) -> int:
    """Return the size of what was copied of a full copy."""
    if journal.copy is None:
        return 0
    count = lambda: journal.freed(0)  # noqa: E731 - it takes a while, and gets on
    return sum(size_of(Path(new), count) for new in journal.copy.layout.values())


def _remove_copies(journal: Journal) -> None:
    """Remove all copies, but not the data directory itself if it was taken out.

    A full copy that the journal knows of stays until it is forgotten.
    """
    if journal.copy is not None:
        return
    for place in journal.places:
        if place is not journal.places[-1] or not keeps_copy(journal.state):
            remove_copy(place, journal.freed)


def discard_waiting(journal: Journal) -> None:
    """Remove all directories that an earlier run replaced; the data directory's own is the last."""
    for place in journal.places:
        remove_old(place, journal.freed)


def put_waiting_back(journal: Journal) -> None:
    """Put back all directories that an earlier run replaced.

    The node's own files are kept as they are now: a user may have fixed what kept the copy from
    running.
    """
    if not any(map(has_old, journal.places)):
        return
    *_, data = journal.places
    own = own_directory(Path(data.path))
    if has_old(data) and own_entries(own):
        replace_own_files(own, Path(data.old))
    journal.take(PutOldBack())
    _put_back(journal, {})
    journal.take(WalkedBack())


def old_waits(workspace: Path) -> bool:
    """Return whether a directory that a copy replaced waits there."""
    return any(map(has_old, read_entry(workspace).places))


def is_unstarted(data_directory: Path) -> bool:
    """Return whether this is a base backup that no server has begun to recover.

    Recovery renames backup_label as soon as it has read it (StartupXLOG).
    """
    return (data_directory / BACKUP_LABEL).exists()


def swap(journal: Journal, places: Places) -> None:
    """Put all copies in place."""
    journal.take(Swap({place.path: not entries(place) for place in places.all()}))
    for place in places.all():
        swap_in(place)
    journal.take(Done())


def _put_back(journal: Journal, was_empty: Mapping[str, bool]) -> None:
    """Put all old directories back; the new data directory is removed first."""
    for place in reversed(journal.places):
        restore(place, journal.freed, was_empty=was_empty.get(place.path, False))


def remove_old_data(journal: Journal, places: Places) -> None:
    """Remove the old data in its place and in the workspace, but keep the node's own files."""
    save_own_files(places.data)
    journal.take(Remove())
    for place in reversed(places.all()):
        remove_contents(place, journal.freed)
        remove_old(place, journal.freed)
    if journal.copy is None:
        remove_copy(places.data, journal.freed)  # It may be the directory itself, half changed.
    journal.take(Done())


def save_own_files(data: Place) -> None:
    """Put the node's own files aside while the directory that holds them is changed or gone."""
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


def take_data_out(journal: Journal, data: Place) -> None:
    """Move the data directory to the workspace, so no server starts on it while it is changed."""
    save_own_files(data)
    if journal.take(TakeOut()) == Out():
        take_out(data)


def put_data_in(journal: Journal, data: Place) -> None:
    """Move the changed data directory back to its place."""
    journal.take(PutIn())
    put_in_place(data)
    journal.take(Done())
    remove(journal.workspace / OWN)  # They are in the directory again.
    sync(journal.workspace)


def standing(data_directory: Path) -> tuple[Path, State]:
    """Return the workspace of a data directory and the state in its journal; change nothing.

    The state is Free if the directory was created again by hand: then the journal is obsolete.
    """
    for workspace in workspaces_of(data_directory):
        state = read_entry(workspace).state
        if state != Free() and not is_made_anew(state, data_directory):
            return workspace, state
    return workspace_of(data_directory), Free()


def away(data_directory: Path) -> tuple[Path, Changing | Finished] | None:
    """Return the directory that a method has changed and left in the workspace, and its state."""
    workspace, state = standing(data_directory)
    return (workspace / "new", state) if isinstance(state, Changing | Finished) else None


def is_made_anew(state: State, data_directory: Path) -> bool:
    """Return whether the data directory was created again by hand after a run was interrupted.

    Then what was half changed is no longer of use. While a directory of ours is away there is no
    control file in its place, because that is moved first and comes back last.
    """
    if not is_away(state):
        return False
    try:
        return (data_directory / "global" / "pg_control").exists()
    except OSError:  # It cannot be read: `observe` reports that for the data directory.
        return False


def note_failed_start(data_directory: Path) -> None:
    """Record that a server did not start streaming after a recovery."""
    workspace, *_ = (*workspaces_of(data_directory), workspace_of(data_directory))
    try:
        journal = open_new(workspace)
    except Busy:
        return  # Another recovery is at work, so what this server ran on no longer matters.
    try:
        journal.note_failed_start()
    finally:
        with suppress(FileNotFoundError):
            if {entry.name for entry in workspace.iterdir()} == {lock.LOCK_NAME}:
                lock.remove_lock(workspace)
        journal.close()


def failed_starts(data_directory: Path) -> int:
    """Return how many times in a row a server has failed after a recovery."""
    counts = (read_entry(workspace).failed_starts for workspace in workspaces_of(data_directory))
    return max(counts, default=0)


def former_slot(data_directory: Path) -> str | None:
    """Return the slot that the old server of this target streamed from, if it was recorded."""
    names = (read_entry(workspace).former_slot for workspace in workspaces_of(data_directory))
    return next(filter(None, names), None)


def discard_old(data_directory: Path, freed: Freed = unwatched) -> bool:
    """Remove the workspaces of a target whose new server runs; return whether old data waited.

    Raises Refused when no server has been started on the copy.
    """
    found = False
    for workspace in workspaces_of(data_directory):
        if read_entry(workspace).places and is_unstarted(data_directory):
            raise Refused(f"the copy in {data_directory} has not been started")
        with opened(workspace) as journal:
            if journal is None:
                continue
            # Without places there is only a count of failed starts.
            places = journal.places
            found = found or any(map(has_old, places))
            for place in places[:-1]:
                discard(Path(place.workspace), freed)
            # The lock goes with it: from then on another agent may hold it.
            discard(workspace, freed)
    return found
