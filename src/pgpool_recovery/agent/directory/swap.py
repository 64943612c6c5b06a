"""All directories of a target together: reserved, taken out, swapped, and walked back.

Each function writes to the journal what it is about to do before it does it, so that from whatever
line a crash falls on there is one way back, `walk_back`: for the run itself when a step has failed,
and for the next one when the run is gone. The data directory is swapped last: until then nothing at
its path can be started.
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
)
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
from pgpool_recovery.facts.step import Place, Places
from pgpool_recovery.files.write import sync
from pgpool_recovery.host import lock

WAL = "wal"
"""What was moved out of a pg_wal (agent/directory/past.py)."""
BACKUP_LABEL = "backup_label"
OF_NO_RUN = frozenset({JOURNAL, SPARE, lock.LOCK_NAME})
"""What there is in a workspace in which no run has anything."""


def tidy(data_directory: Path) -> None:
    """Bring what an interrupted run left to where a plan can begin."""
    for workspace in workspaces_of(data_directory):
        if not has_begun(workspace):
            continue
        with opened(workspace) as journal:
            if journal is not None and has_begun(workspace):
                walk_back(journal)
                rest(journal)


def is_tidy(data_directory: Path) -> bool:
    """Say whether no removal and no swap was interrupted, and nothing whole is out of its place.

    A half copy beside the data changes no plan.
    """
    for workspace in workspaces_of(data_directory):
        entry = read_entry(workspace)
        if is_amid(entry.state) or any(map(has_condemned, entry.places)):
            return False
    return True


def reserve(places: Places) -> Journal:
    """Make the workspaces and lock them; return the journal, which holds the lock.

    Raises Busy when another agent has it. What an earlier run wrote down is kept: the tablespaces
    of the primary may be others by now.
    """
    journal = open_new(Path(places.data.workspace))
    try:
        for place in places.all():
            make_workspace(Path(place.workspace))
        walk_back(journal)  # Another run may have been interrupted since the target was looked at.
        known = {place.path: place for place in (*journal.places, *places.all())}
        known[places.data.path] = known.pop(places.data.path)  # The data directory is the last.
        journal.reserve(tuple(known.values()), Reserve())
        make_spare(journal.workspace)
    except BaseException:
        _give_up(journal, places)
        raise
    return journal


def _give_up(journal: Journal, places: Places) -> None:
    """Let go of a target that could not be reserved: what was made of nothing goes, and the lock.

    What an earlier run left is known by more than the list of places.
    """
    try:
        if not is_amid(journal.state):
            rest(journal)
        for place in places.all():
            with suppress(OSError):  # Something else is in it.
                Path(place.workspace).rmdir()
    finally:
        journal.close()


def walk_back(journal: Journal) -> State:
    """Go back from wherever a run was to where a plan can begin; return the state that this is.

    Each effect can be repeated, and the journal says what was going on until all of them are done:
    when this is interrupted in turn, it is done once more. What a method has half changed stays
    out, so that no server starts on it; a swap goes back as a whole, for half of the directories
    are of another time than the rest; a removal goes on, for what is left is no data directory.
    """
    drop_spare(journal.workspace)  # It is kept for this.
    if not journal.places:
        return journal.state
    *_, data = journal.places
    for place in journal.places:
        finish_removal(place)
    match journal.state:
        case Swapping(_, was_empty) | Restoring(_, was_empty):
            _put_back(journal.places, was_empty)
        case Out() | Putting():
            put_in_place(data)
            sync(journal.workspace)
        case Removing(is_out=True):
            remove_copy(data)
    journal.take(WalkedBack(is_gone=not entries(data)))
    if is_made_anew(journal.state, Path(data.path)):
        remove(journal.workspace / OWN)
        journal.take(MadeAnew())
    if not is_away(journal.state) and own_entries(Path(data.path)):
        remove(journal.workspace / OWN)  # They are in the directory, as they were.
    _remove_copies(journal)
    return journal.state


def undo(journal: Journal) -> State:
    """Go back as the run that has done it all: what it has swapped in is no exception."""
    journal.take(Undo())
    return walk_back(journal)


def rest(journal: Journal) -> None:
    """End a run: the half copies go, and the workspaces unless something waits in them.

    What waits is what a copy has replaced, own files or WAL without a place, a directory that is
    half changed, or something to be remembered of the node.
    """
    _remove_copies(journal)
    state = next_state(journal.state, End())
    waits = any(has_old(place) or has_condemned(place) for place in journal.places)
    kept = any((journal.workspace / name).exists() for name in (OWN, WAL))
    if waits or kept or journal.has_facts or state != Free():
        journal.take(End())  # With the spare room, if there is no other.
        drop_spare(journal.workspace)
        return
    drop_spare(journal.workspace)
    for place in journal.places:
        discard(Path(place.workspace))
    if not journal.places and {e.name for e in journal.workspace.iterdir()} <= OF_NO_RUN:
        discard(journal.workspace)


def _remove_copies(journal: Journal) -> None:
    """Remove all copies, but not the data directory itself that was taken out."""
    for place in journal.places:
        if place is not journal.places[-1] or not keeps_copy(journal.state):
            remove_copy(place)


def discard_waiting(journal: Journal) -> None:
    """Remove all directories that an earlier run replaced; the data directory's own is the last."""
    for place in journal.places:
        remove_old(place)


def put_waiting_back(journal: Journal) -> None:
    """Put back all directories that an earlier run replaced.

    With the node's own files as they are now: somebody may have mended what kept the copy from
    running.
    """
    if not any(map(has_old, journal.places)):
        return
    *_, data = journal.places
    own = own_directory(Path(data.path))
    if has_old(data) and own_entries(own):
        replace_own_files(own, Path(data.old))
    journal.take(PutOldBack())
    _put_back(journal.places, {})
    journal.take(WalkedBack())


def old_waits(workspace: Path) -> bool:
    """Say whether a directory waits there that a copy has replaced."""
    return any(map(has_old, read_entry(workspace).places))


def is_unstarted(data_directory: Path) -> bool:
    """Say whether this is a base backup that no server has begun to recover.

    Recovery renames the file away as soon as it has read it (StartupXLOG).
    """
    return (data_directory / BACKUP_LABEL).exists()


def swap(journal: Journal, places: Places) -> None:
    """Put all copies in place."""
    journal.take(Swap({place.path: not entries(place) for place in places.all()}))
    for place in places.all():
        swap_in(place)
    journal.take(Done())


def _put_back(places: tuple[Place, ...], was_empty: Mapping[str, bool]) -> None:
    """Put all old directories back; the new data directory goes out of the way first."""
    for place in reversed(places):
        restore(place, was_empty=was_empty.get(place.path, False))


def remove_old_data(journal: Journal, places: Places) -> None:
    """Remove the old data where it stands and where it waits; the node's own files are kept."""
    save_own_files(places.data)
    journal.take(Remove())
    for place in reversed(places.all()):
        remove_contents(place)
        remove_old(place)
    remove_copy(places.data)  # It may be the directory itself, half changed.
    journal.take(Done())


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


def take_data_out(journal: Journal, data: Place) -> None:
    """Take the data directory out of its place, so that nothing starts while it is changed."""
    save_own_files(data)
    if journal.take(TakeOut()) == Out():
        take_out(data)


def put_data_in(journal: Journal, data: Place) -> None:
    """Put the changed data directory into its place."""
    journal.take(PutIn())
    put_in_place(data)
    journal.take(Done())
    remove(journal.workspace / OWN)  # They were put into the directory again.
    sync(journal.workspace)


def standing(data_directory: Path) -> tuple[Path, State]:
    """Return what the journal of a data directory says, and in which workspace; changes nothing.

    Where somebody has made the directory anew what it says is of no use any more.
    """
    for workspace in workspaces_of(data_directory):
        state = read_entry(workspace).state
        if state != Free() and not is_made_anew(state, data_directory):
            return workspace, state
    return workspace_of(data_directory), Free()


def away(data_directory: Path) -> tuple[Path, Changing | Finished] | None:
    """Return where a directory is that a method has changed and left out, and in which state."""
    workspace, state = standing(data_directory)
    return (workspace / "new", state) if isinstance(state, Changing | Finished) else None


def is_made_anew(state: State, data_directory: Path) -> bool:
    """Say whether somebody has made the data directory by hand since a run was interrupted.

    Then what was half changed is of no use any more. While one of ours is away there is no control
    file in its place: it is moved first, and comes back last.
    """
    if not is_away(state):
        return False
    try:
        return (data_directory / "global" / "pg_control").exists()
    except OSError:  # Nobody may look: `observe` says so of the data directory.
        return False


def note_failed_start(data_directory: Path) -> None:
    """Count that a server did not come to stream after a recovery."""
    workspace, *_ = (*workspaces_of(data_directory), workspace_of(data_directory))
    try:
        journal = open_new(workspace)
    except Busy:
        return  # Another recovery is at work: what this server was started on is history.
    try:
        journal.note_failed_start()
    finally:
        with suppress(FileNotFoundError):
            if {entry.name for entry in workspace.iterdir()} == {lock.LOCK_NAME}:
                lock.remove_lock(workspace)
        journal.close()


def failed_starts(data_directory: Path) -> int:
    """Return how often in a row a server has failed after a recovery."""
    counts = (read_entry(workspace).failed_starts for workspace in workspaces_of(data_directory))
    return max(counts, default=0)


def former_slot(data_directory: Path) -> str | None:
    """Return by which slot the old server of this target streamed, if that was written down."""
    names = (read_entry(workspace).former_slot for workspace in workspaces_of(data_directory))
    return next(filter(None, names), None)


def discard_old(data_directory: Path) -> bool:
    """Remove the workspaces of a target whose new server runs; return whether old data waited."""
    found = False
    for workspace in workspaces_of(data_directory):
        if read_entry(workspace).places and is_unstarted(data_directory):
            raise Refused(f"the copy in {data_directory} has not been started")
        with opened(workspace) as journal:
            if journal is None:
                continue
            # Without a place there is nothing but a count of failed starts.
            places = journal.places
            found = found or any(map(has_old, places))
            for place in places[:-1]:
                discard(Path(place.workspace))
            discard(workspace)  # The lock goes with it: from then on it may be another's.
    return found
