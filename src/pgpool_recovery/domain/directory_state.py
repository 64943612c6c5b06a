"""The states of a target's data directory, and the events that lead from one to another.

Only this module defines the states and the transitions between them. The agent writes each state to
its journal before it does what the state stands for (agent/directory/journal.py). A later run reads
there how far an interrupted one had come, wherever it crashed.

A state in which something is half moved is not a resting state: `WalkedBack` leads from it to one
that is. The guard of an incremental backup (agent/method/guarded/guard.py) is separate from the
states. It is in the directory itself and keeps any server from starting on files of two different
times, even when the directory is moved without its journal. `Changing` says that the directory is
in the workspace, the guard that it is half written. A plan that continues with it needs both.
"""

from collections.abc import Mapping
from typing import Literal

from pgpool_recovery.domain.record import field, record
from pgpool_recovery.domain.target_state import TargetState

Over = Literal["reserved", "restored", "removed"]
"""What a swap began with: the data unchanged, older data that was put back, or none."""
Before = Literal["out", "finished", "removed"]
"""What a change began with: the data unchanged, as an earlier change finished it, or none."""


@record
class Free:
    """No run is working on it."""


@record
class Reserved:
    """A run works beside it; the directory at its path is unchanged."""


@record
class Restored:
    """The data that a copy had replaced is back at its path."""


@record
class Led:
    """Files in it are changed in place, to point its server at the primary."""


@record
class Removing:
    """It is being removed.

    `is_out`: it was in the workspace, and anything at its path is a leftover.
    """

    is_out: bool


@record
class Removed:
    """It is gone; the node's own files are kept in the workspace."""


@record
class Out:
    """It is whole, and in the workspace or on its way there."""


@record
class Changing:
    """It is in the workspace and half changed by a method.

    `before` says what it was before: a change that turns out to have touched nothing leads back
    there. None: it was already half changed then.
    """

    method: str
    before: Before | None


@record
class Finished:
    """A method has finished with it: it is whole, changed, and in the workspace."""


@record
class Putting:
    """It is whole and changed, and on its way back to its path."""


@record
class InPlace:
    """It is whole, changed, and at its path."""


@record
class Swapping:
    """Some directories may be new and some old; the only way out is back to the old ones.

    `was_empty` says for the path of each place whether there was nothing before.
    """

    over: Over
    was_empty: Mapping[str, bool] = field(default_factory=dict)


@record
class Restoring:
    """What a copy replaced is being put back, by the run that swapped it in or by a later one.

    `was_empty` is as in `Swapping`. It is empty when an earlier run did the swap, since what that
    run replaced was there.
    """

    over: Over
    was_empty: Mapping[str, bool] = field(default_factory=dict)


@record
class Swapped:
    """All copies are in place; the run that put them there can still go back."""

    over: Over
    was_empty: Mapping[str, bool] = field(default_factory=dict)


State = (
    Free
    | Reserved
    | Restored
    | Led
    | Removing
    | Removed
    | Out
    | Changing
    | Finished
    | Putting
    | InPlace
    | Swapping
    | Swapped
    | Restoring
)


@record
class Reserve:
    """A run begins; any earlier run has ended, since this one holds the lock."""


@record
class Lead:
    """Files in the directory are about to be changed in place."""


@record
class Remove:
    """The directory is about to be removed."""


@record
class TakeOut:
    """The directory is about to be moved into the workspace."""


@record
class Change:
    """A method is about to change the directory, or a clone of it."""

    method: str


@record
class LeftAlone:
    """The method failed before its first change."""


@record
class Changed:
    """The method has finished."""


@record
class PutIn:
    """The changed directory is about to be moved back to its path."""


@record
class Swap:
    """The copies are about to be put in place; `was_empty` as in `Swapping`."""

    was_empty: Mapping[str, bool]


@record
class PutOldBack:
    """What an earlier run replaced is about to be put back."""


@record
class Done:
    """What the state stands for has been completed."""


@record
class Undo:
    """The run itself goes back, and undoes a swap of its own as well."""


@record
class WalkedBack:
    """All that was half moved is back; `is_gone`: a removal left nothing at the path."""

    is_gone: bool = False


@record
class MadeAnew:
    """Another data directory was created at the path of the one that was moved or removed."""


@record
class End:
    """The run releases it."""


Event = (
    Reserve
    | Lead
    | Remove
    | TakeOut
    | Change
    | LeftAlone
    | Changed
    | PutIn
    | Swap
    | PutOldBack
    | Done
    | Undo
    | WalkedBack
    | MadeAnew
    | End
)

AMID = (Removing, Out, Putting, Swapping, Restoring)
"""States in which something is, or may be, half moved: no run may end in them."""
AWAY = (Removed, Changing, Finished)
"""Resting states in which there is no data directory at its path."""


def next_state(state: State, event: Event) -> State | None:  # noqa: C901 - a table
    """Return the state that an event leads to; None if the event cannot happen in this state."""
    match state, event:
        # A run begins and ends. Anything half done must be walked back first.
        case Removed() | Changing() | Finished(), Reserve() | End():
            return state
        case Free() | Reserved() | Restored() | Led() | InPlace() | Swapped(), Reserve():
            return Reserved()
        case Free() | Reserved() | Restored() | Led() | InPlace() | Swapped(), End():
            return Free()
        # The directory is changed in place.
        case Reserved() | Led(), Lead():
            return Led()
        # It is removed to make room for a copy.
        case Reserved() | Restored() | Removed(), Remove():
            return Removing(is_out=False)
        case Changing() | Finished(), Remove():
            return Removing(is_out=True)
        case Removing(), Done():
            return Removed()
        # It is changed in the workspace.
        case Reserved() | Restored(), TakeOut():
            return Out()
        case Removed(), TakeOut():  # There is nothing to move.
            return state
        case Out(), Change(method):
            return Changing(method, "out")
        case Finished(), Change(method):
            return Changing(method, "finished")
        case Removed(), Change(method):
            return Changing(method, "removed")
        case Changing(), Change(method):
            return Changing(method, None)
        case Changing(before="out"), LeftAlone():
            return Out()
        case Changing(before="removed"), LeftAlone():
            return Removed()
        case Changing(before="finished"), LeftAlone():
            return Finished()
        case Changing(), LeftAlone():
            return state
        case Changing(), Changed():
            return Finished()
        case Finished(), PutIn():
            return Putting()
        case Putting(), Done():
            return InPlace()
        # A clone is changed. It is only a copy until it is swapped in.
        case Reserved() | Restored(), Change() | LeftAlone() | Changed():
            return state
        # Copies are put in place, or what they replaced is put back.
        case Reserved(), Swap(was_empty):
            return Swapping("reserved", was_empty)
        case Restored(), Swap(was_empty):
            return Swapping("restored", was_empty)
        case Removed(), Swap(was_empty):
            return Swapping("removed", was_empty)
        case Reserved() | Restored() | Removed() | Changing() | Finished(), PutOldBack():
            return Restoring("restored")
        case Swapping(over, was_empty), Done():
            return Swapped(over, was_empty)
        case Swapped(over, was_empty), Undo():
            return Restoring(over, was_empty)
        case _, Undo():
            return state
        # Go back to a state in which a plan can begin.
        case Swapping("removed") | Restoring("removed"), WalkedBack():
            return Removed()
        case Swapping() | Restoring(), WalkedBack():
            return Restored()
        case Removing(), WalkedBack(is_gone):
            return Removed() if is_gone else Reserved()
        case Out() | Led(), WalkedBack():
            return Reserved()
        case Putting(), WalkedBack():
            return InPlace()
        case _, WalkedBack():
            return state
        case Removed() | Changing() | Finished(), MadeAnew():
            return Free()
    return None


def target_state(state: State) -> TargetState:
    """Return the target state that messages report; it does not say whether a server runs.

    `Led` is unknown, since it cannot be determined which of its files have been changed.
    """
    match state:
        case Free() | Reserved():
            return TargetState.UNTOUCHED
        case Restored():
            return TargetState.RESTORED
        case InPlace() | Swapped():
            return TargetState.COPIED
        case Led():
            return TargetState.UNKNOWN
        case Removing() | Removed() | Out() | Changing() | Finished() | Putting():
            return TargetState.INCOMPLETE
        case Swapping() | Restoring():
            return TargetState.INCOMPLETE


def is_amid(state: State) -> bool:
    """Return whether something is half moved and must be walked back first."""
    return isinstance(state, AMID)


def is_away(state: State) -> bool:
    """Return whether there is no data directory at its path, and none on its way there."""
    return isinstance(state, AWAY)


def keeps_copy(state: State) -> bool:
    """Return whether the directory in which a copy would be made is the data directory itself."""
    return isinstance(state, Out | Changing | Finished | Putting)
