"""The journal of a target: how far a run is with its directories, whatever becomes of the run.

One file in the workspace of the data directory. It is written whole or not at all, by whoever holds
the lock of the target, and each state before the first effect of what it stands for.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pgpool_recovery.agent.directory.entry import (
    Entry,
    NotAnEntry,
    decode_entry,
    encode_entry,
)
from pgpool_recovery.agent.directory.older import (
    PLACES,
    blamed,
    has_places,
    is_older,
    read_older,
    remove_older,
)
from pgpool_recovery.agent.directory.place import could_be_place
from pgpool_recovery.agent.directory.spare import write_with_spare
from pgpool_recovery.agent.directory.workspace import is_workspace, make_workspace
from pgpool_recovery.domain.directory_state import (
    Event,
    State,
    is_amid,
    keeps_copy,
    next_state,
)
from pgpool_recovery.domain.error import Busy, Refused, reason_of
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.step import Place
from pgpool_recovery.files.trust import Untrusted, read_own
from pgpool_recovery.host import lock

JOURNAL = "journal.json"
MAX_BYTES = 4 << 20
"""Some ten thousand tablespaces."""


class Journal:
    """The journal of a target whose lock this process holds."""

    def __init__(self, workspace: Path, held: int) -> None:
        """Read it. What a build without one has left is brought forward."""
        self.workspace = workspace
        self._held = held
        self._entry = read_entry(workspace)
        if is_older(workspace):
            # The journal first: until the list of places is gone the old files hold, and then it.
            self._write(self._entry)
            remove_older(workspace)

    @property
    def state(self) -> State:
        """The state of the data directory."""
        return self._entry.state

    @property
    def places(self) -> tuple[Place, ...]:
        """Where runs have worked, the data directory's own place last; none before the first."""
        return self._entry.places

    @property
    def has_facts(self) -> bool:
        """Whether something of the node is to be remembered beyond the run."""
        return self._entry.has_facts

    @property
    def failed_starts(self) -> int:
        """How often in a row a server has failed after a recovery."""
        return self._entry.failed_starts

    def take(self, event: Event) -> State:
        """Write down what is about to be done, or has been done, and return the state it leads to.

        Raises Refused for what cannot happen in this state: the plan was made for another one.
        """
        state = next_state(self.state, event)
        if state is None:
            raise Refused(
                f"another recovery has worked in {self.workspace} meanwhile",
                detail=f"The data directory is now {type(self.state).__name__}, and "
                f"{type(event).__name__} cannot follow.",
                hint="Recover the node again.",
            )
        self._change(replace(self._entry, state=state))
        return state

    def reserve(self, places: tuple[Place, ...], event: Event) -> None:
        """Write down at once where a run works and that it has begun."""
        state = next_state(self.state, event)
        assert state is not None  # noqa: S101 - what was half done has been walked back
        self._change(replace(self._entry, places=places, state=state))

    def note_former_slot(self, name: str | None) -> None:
        """Write down by which slot the old server streamed; None when it may do so again."""
        self._change(replace(self._entry, former_slot=name))

    def note_failed_start(self) -> None:
        """Count that a server did not come to stream after a recovery."""
        self._change(replace(self._entry, failed_starts=self._entry.failed_starts + 1))

    def close(self) -> None:
        """Give the lock back."""
        lock.unlock(self._held)

    def _change(self, entry: Entry) -> None:
        if entry != self._entry:
            self._write(entry)

    def _write(self, entry: Entry) -> None:
        """Write it at once and to last; on a full disk with the room that was kept for that."""
        write_with_spare(self.workspace, self.workspace / JOURNAL, encode_entry(entry))
        self._entry = entry


@contextmanager
def opened(workspace: Path) -> Iterator[Journal | None]:
    """Hold the lock of a workspace in the block, with its journal; None when it is gone by now."""
    try:
        held = lock.lock(workspace)
    except FileNotFoundError:
        yield None
        return
    try:
        yield Journal(workspace, held)
    finally:
        lock.unlock(held)


def open_new(workspace: Path) -> Journal:
    """Make a workspace and lock it; whoever ends just now may remove it in between.

    Raises Busy when another agent has it.
    """
    for _ in range(lock.TRIES):
        try:
            make_workspace(workspace)
            held = lock.lock(workspace)
        except (FileNotFoundError, FileExistsError):
            continue
        except OSError:  # No room for the lock's file.
            with suppress(OSError):
                workspace.rmdir()
            raise
        try:
            return Journal(workspace, held)
        except BaseException:
            lock.unlock(held)
            raise
    raise Busy("other recoveries of this node begin and end all the time", hint="Try again.")


def has_begun(workspace: Path) -> bool:
    """Say whether a run has written down anything."""
    return (workspace / JOURNAL).exists() or is_older(workspace)


def read_entry(workspace: Path) -> Entry:
    """Return what a journal says, or the files of a build without one; changes nothing.

    Refused when it cannot be read: nobody can say then what is to be done with the directories, but
    a person who looks at them.
    """
    file = workspace / JOURNAL
    try:
        entry = _read(workspace)
        named = workspace / PLACES if has_places(workspace) else file
    except (NotAnEntry, Untrusted, OSError) as error:
        raise _unreadable(blamed(error, file), error) from error
    _check(entry.places, workspace, named)
    return entry


def _read(workspace: Path) -> Entry:
    """Read what holds: the files of an older build where its list of places stands."""
    is_older_believed = has_places(workspace)  # In this order: it goes when the journal is there.
    entry = _read_journal(workspace / JOURNAL)
    if entry is not None and not is_older_believed:
        return entry
    found: Entry | Exception
    try:
        found = read_older(workspace) if is_older(workspace) else Entry()
    except (NotAnEntry, Untrusted, OSError) as error:
        found = error
    if not has_places(workspace):  # Another agent may have brought it forward meanwhile.
        now = _read_journal(workspace / JOURNAL)
        if now is not None:
            return now
    if isinstance(found, Exception):
        raise found
    return found if entry is None else _united(entry, found, workspace)


def _united(entry: Entry, found: Entry, workspace: Path) -> Entry:
    """Return what holds where an older build was at work after one that wrote a journal.

    Refused when the journal says that the data may be in the workspace: the older build did not
    know that, and nobody can say what it did to it.
    """
    if not found.places:  # It had begun nothing.
        return entry
    could_be_away = is_amid(entry.state) or keeps_copy(entry.state)
    if could_be_away and entry.state != found.state:
        raise Refused(
            f"{workspace / JOURNAL} and {workspace / PLACES} contradict each other",
            detail="An older version of pgpool-recovery has worked here after this one was "
            f"interrupted. The data directory was {type(entry.state).__name__}, and is "
            f"{type(found.state).__name__} for the older version.",
            hint=_look_at(workspace),
            target=TargetState.UNKNOWN,
        )
    return replace(
        found,
        former_slot=found.former_slot or entry.former_slot,
        failed_starts=max(found.failed_starts, entry.failed_starts),
    )


def _read_journal(file: Path) -> Entry | None:
    try:
        if file.lstat().st_size > MAX_BYTES:
            raise NotAnEntry(f"it has more than {MAX_BYTES} bytes")
        return decode_entry(read_own(file))
    except FileNotFoundError:
        return None


def _check(places: tuple[Place, ...], workspace: Path, file: Path) -> None:
    """Raise Refused when this target cannot have such places, or they are somebody else's."""
    for place in places:
        if not could_be_place(place, Path(place.workspace)):
            raise _unreadable(file, NotAnEntry(f"it names a place that no recovery makes: {place}"))
        is_workspace(Path(place.workspace))
    if places and Path(places[-1].workspace) != workspace:
        raise _unreadable(file, NotAnEntry("the data directory is not the last of its places"))


def _unreadable(file: Path, error: Exception) -> Refused:
    if isinstance(error, NotAnEntry) and error.newer is not None:
        return Refused(
            f"a newer version of pgpool-recovery has written {file}",
            detail=_sentence(str(error)),
            hint="Install that version on this host, then recover the node again.",
            target=TargetState.UNKNOWN,
        )
    why = reason_of(error) if isinstance(error, OSError) else str(error)
    return Refused(
        f"what an earlier recovery wrote to {file} cannot be read",
        detail=_sentence(why),
        hint=_look_at(file.parent),
        target=TargetState.UNKNOWN,
    )


def _look_at(workspace: Path) -> str:
    return (
        f"Look at the directories in {workspace}: old is what a copy has replaced, new a "
        "copy, or the data directory itself while it was changed. Move what you want to keep to "
        "its place, then remove the rest, and recover the node again."
    )


def _sentence(why: str) -> str:
    return f"{why[:1].upper()}{why[1:]}."
