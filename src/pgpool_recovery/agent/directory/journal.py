"""The journal of a target: how far a run is with its directories, even if the run is gone.

It is one file in the workspace of the data directory, written atomically by the agent that holds
the lock of the target. Each state is written before the first effect of what it stands for.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pgpool_recovery.agent.directory.entry import (
    Copy,
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
from pgpool_recovery.agent.directory.workspace import Freed, is_workspace, make_workspace, unwatched
from pgpool_recovery.domain.directory_state import (
    Event,
    State,
    Swap,
    is_amid,
    keeps_copy,
    next_state,
)
from pgpool_recovery.domain.error import Busy, Refused, reason_of
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.step.place import Place
from pgpool_recovery.files.trust import Untrusted, read_own
from pgpool_recovery.host import lock

JOURNAL = "journal.json"
MAX_BYTES = 4 << 20
"""Enough for some ten thousand tablespaces."""


class Journal:
    """The journal of a target whose lock this process holds."""

    def __init__(self, workspace: Path, held: int) -> None:
        """Read the journal, and convert the files of a build that had none."""
        self.workspace = workspace
        self.freed: Freed = unwatched
        """Is told what is removed."""
        self._held = held
        self._entry = read_entry(workspace)
        if is_older(workspace):
            # The old files are valid until their list of places is gone, so the journal is first.
            self._write(self._entry)
            remove_older(workspace)

    @property
    def state(self) -> State:
        """The state of the data directory."""
        return self._entry.state

    @property
    def places(self) -> tuple[Place, ...]:
        """Where runs have worked, the data directory's own place last; empty before the first."""
        return self._entry.places

    @property
    def has_facts(self) -> bool:
        """Whether there is something about the node to remember after the run."""
        return self._entry.has_facts

    @property
    def failed_starts(self) -> int:
        """How many times in a row a server has failed after a recovery."""
        return self._entry.failed_starts

    def take(self, event: Event) -> State:
        """Record what is about to be done, or was done, and return the state that results.

        Raises Refused when it cannot happen in this state: the plan was made for another one.
        """
        state = next_state(self.state, event)
        if state is None:
            raise Refused(
                f"another recovery has meanwhile worked in {self.workspace}",
                detail=f"The data directory is now in state {type(self.state).__name__}, in which "
                f"{type(event).__name__} is not possible.",
                hint="Recover the node again.",
            )
        # What is put into place is no copy any more, and none may be found beside it.
        copy = None if isinstance(event, Swap) else self._entry.copy
        self._change(replace(self._entry, state=state, copy=copy))
        return state

    def reserve(self, places: tuple[Place, ...], event: Event) -> None:
        """Record in one write where a run works and that it has begun."""
        state = next_state(self.state, event)
        assert state is not None  # noqa: S101 - what was half done has been walked back
        self._change(replace(self._entry, places=places, state=state))

    def note_former_slot(self, name: str | None) -> None:
        """Record the slot that the old server streamed from; None when it may use it again."""
        self._change(replace(self._entry, former_slot=name))

    def note_failed_start(self) -> None:
        """Record that a server did not start streaming after a recovery."""
        self._change(replace(self._entry, failed_starts=self._entry.failed_starts + 1))

    @property
    def copy(self) -> Copy | None:
        """The full copy that grows, or has remained, in the workspaces."""
        return self._entry.copy

    def note_copy(self, copy: Copy | None) -> None:
        """Record that a full copy begins; None when nothing of it is to be kept any more."""
        self._change(replace(self._entry, copy=copy))

    def close(self) -> None:
        """Release the lock."""
        lock.unlock(self._held)

    def _change(self, entry: Entry) -> None:
        if entry != self._entry:
            self._write(entry)

    def _write(self, entry: Entry) -> None:
        """Write an entry atomically and durably; on a full disk use the room kept for that."""
        write_with_spare(self.workspace, self.workspace / JOURNAL, encode_entry(entry))
        self._entry = entry


@contextmanager
def opened(workspace: Path) -> Iterator[Journal | None]:
    """Hold the lock of a workspace and yield its journal; None when the workspace is gone."""
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
    """Make a workspace and lock it. Another agent that is ending may remove it in between.

    Raises Busy when another agent holds the lock.
    """
    for _ in range(lock.TRIES):
        try:
            make_workspace(workspace)
            held = lock.lock(workspace)
        except (FileNotFoundError, FileExistsError):
            continue
        except OSError:  # There is no room for the lock file.
            with suppress(OSError):
                workspace.rmdir()
            raise
        try:
            return Journal(workspace, held)
        except BaseException:
            lock.unlock(held)
            raise
    raise Busy("other recoveries of this node keep starting and ending", hint="Try again.")


def has_begun(workspace: Path) -> bool:
    """Return whether a run has recorded anything."""
    return (workspace / JOURNAL).exists() or is_older(workspace)


def read_entry(workspace: Path) -> Entry:
    """Return what a journal says, or the files of a build without one; change nothing.

    Raises Refused when it cannot be read: then only a person who examines the directories can
    decide what to do with them.
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
    """Read what is valid: the files of an older build if its list of places exists."""
    # Checked first, because the list is removed once the journal is there.
    is_older_valid = has_places(workspace)
    entry = _read_journal(workspace / JOURNAL)
    if entry is not None and not is_older_valid:
        return entry
    found: Entry | Exception
    try:
        found = read_older(workspace) if is_older(workspace) else Entry()
    except (NotAnEntry, Untrusted, OSError) as error:
        found = error
    if not has_places(workspace):  # Another agent may have converted the files meanwhile.
        now = _read_journal(workspace / JOURNAL)
        if now is not None:
            return now
    if isinstance(found, Exception):
        raise found
    return found if entry is None else _united(entry, found, workspace)


def _united(entry: Entry, found: Entry, workspace: Path) -> Entry:
    """Return what is valid where an older build worked after one that wrote a journal.

    Raises Refused when the journal says that the data may be in the workspace: the older build did
    not know that, and what it did to the data cannot be determined.
    """
    if not found.places:  # It had begun nothing.
        return entry
    could_be_away = is_amid(entry.state) or keeps_copy(entry.state)
    if could_be_away and entry.state != found.state:
        raise Refused(
            f"{workspace / JOURNAL} and {workspace / PLACES} contradict each other",
            detail="An older version of pgpool-recovery worked here after this one was "
            f"interrupted. The data directory was in state {type(entry.state).__name__}, and is in "
            f"state {type(found.state).__name__} according to the older version.",
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
    """Raise Refused if this target cannot have such places, or if they are another user's."""
    for place in places:
        if not could_be_place(place, Path(place.workspace)):
            why = f"it names a place that no recovery uses: {place}"
            raise _unreadable(file, NotAnEntry(why))
        is_workspace(Path(place.workspace))
    if places and Path(places[-1].workspace) != workspace:
        raise _unreadable(file, NotAnEntry("the data directory is not the last of its places"))


def _unreadable(file: Path, error: Exception) -> Refused:
    if isinstance(error, NotAnEntry) and error.newer is not None:
        return Refused(
            f"{file} was written by a newer version of pgpool-recovery",
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
        f"Examine the directories in {workspace}: old is what a copy replaced, and new is a copy, "
        "or the data directory itself while it was being changed. Move what you want to keep to "
        "its place, remove the rest, and recover the node again."
    )


def _sentence(why: str) -> str:
    return f"{why[:1].upper()}{why[1:]}."
