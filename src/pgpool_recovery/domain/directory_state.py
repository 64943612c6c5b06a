"""The states of a target's data directory, and which event leads from one to another.

This is the only place that says what a state is called and where it leads. The agent writes each
state to its journal before it does what the state stands for (agent/directory/journal.py), so that
whoever finds the directory later, wherever a crash fell, reads how far it was.

A state in which something is half moved is not a resting one: `WalkedBack` leads from it to one
that is. The guard of an incremental backup (agent/method/incremental/guard.py) is another thing: it
stands in the directory itself and keeps any server from starting on files of two times, also where
the journal does not come along. `Changing` says that the directory is out of its place, the guard
that it is half written; a plan that goes on with it needs both.
"""

from collections.abc import Mapping
from typing import Literal

from pgpool_recovery.domain.record import field, record
from pgpool_recovery.domain.target_state import TargetState

Over = Literal["reserved", "restored", "removed"]
"""What a swap began with: the data as it was, an older one that was put back, or none."""
Before = Literal["out", "finished", "removed"]
"""What a change began with: the data as it was, as an earlier change has finished it, or none."""


@record
class Free:
    """No run has anything of it."""


@record
class Reserved:
    """A run works beside it; what stands at its place is as it was."""


@record
class Restored:
    """The data that a copy had replaced is in its place again."""


@record
class Led:
    """Files in it are changed where it is: it is led to the primary."""


@record
class Removing:
    """It is being removed; `is_out`: it was out of its place, and what stands there is a rest."""

    is_out: bool


@record
class Removed:
    """It is gone, the node's own files wait in the workspace."""


@record
class Out:
    """It is whole, and out of its place or on its way out."""


@record
class Changing:
    """It is out of its place and half changed by a method.

    `before` says what it was: a change that turns out to have touched nothing leads back there.
    None: it was half changed then, too.
    """

    method: str
    before: Before | None


@record
class Finished:
    """A method is done with it: whole, changed, and out of its place."""


@record
class Putting:
    """It is whole and changed, and on its way to its place."""


@record
class InPlace:
    """It is whole, changed, and in its place."""


@record
class Swapping:
    """Some directories may be new and some old; the way out is back to the old ones.

    `was_empty` says of each place, by its path, whether nothing stood there before.
    """

    over: Over
    was_empty: Mapping[str, bool] = field(default_factory=dict)


@record
class Restoring:
    """What a copy has replaced is being put back, by the run that has swapped or by a later one.

    `was_empty` as in `Swapping`; nothing of what an earlier run has replaced was.
    """

    over: Over
    was_empty: Mapping[str, bool] = field(default_factory=dict)


@record
class Swapped:
    """All copies are in their places; the run that has put them there can still go back."""

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
    """A run begins; whichever was at work before is gone, for this one has the lock."""


@record
class Lead:
    """Files in the directory are about to be changed where it is."""


@record
class Remove:
    """The directory is about to be removed."""


@record
class TakeOut:
    """The directory is about to be taken out of its place."""


@record
class Change:
    """A method is about to change the directory, if that is what it works on and no copy."""

    method: str


@record
class LeftAlone:
    """The method has failed before its first change."""


@record
class Changed:
    """The method is done."""


@record
class PutIn:
    """The changed directory is about to be put in its place."""


@record
class Swap:
    """The copies are about to be put in place; `was_empty` as in `Swapping`."""

    was_empty: Mapping[str, bool]


@record
class PutOldBack:
    """What an earlier run has replaced is about to be put back."""


@record
class Done:
    """What the state stands for has been done to its end."""


@record
class Undo:
    """The run itself goes back: a swap of its own is undone, too."""


@record
class WalkedBack:
    """All that was half moved is back; `is_gone`: of a removal nothing is left at the place."""

    is_gone: bool = False


@record
class MadeAnew:
    """Somebody has put another data directory in the place of the one that was out or removed."""


@record
class End:
    """The run lets go of it."""


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
"""States in which something is, or may be, on its way: nobody rests in them."""
AWAY = (Removed, Changing, Finished)
"""Resting states in which there is no data directory in its place."""


def next_state(state: State, event: Event) -> State | None:  # noqa: C901 - a table
    """Return the state that an event leads to; None when it cannot happen in this one."""
    match state, event:
        # A run begins and ends. What is half done must be walked back before.
        case Removed() | Changing() | Finished(), Reserve() | End():
            return state
        case Free() | Reserved() | Restored() | Led() | InPlace() | Swapped(), Reserve():
            return Reserved()
        case Free() | Reserved() | Restored() | Led() | InPlace() | Swapped(), End():
            return Free()
        # The directory is changed where it is.
        case Reserved() | Led(), Lead():
            return Led()
        # It makes room for a copy.
        case Reserved() | Restored() | Removed(), Remove():
            return Removing(is_out=False)
        case Changing() | Finished(), Remove():
            return Removing(is_out=True)
        case Removing(), Done():
            return Removed()
        # It is changed out of its place.
        case Reserved() | Restored(), TakeOut():
            return Out()
        case Removed(), TakeOut():  # There is nothing to be taken out.
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
        # A clone is changed, which is a copy until it is swapped in.
        case Reserved() | Restored(), Change() | LeftAlone() | Changed():
            return state
        # Copies are put in place, and what they replaced is put back.
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
        # Back to where a plan can begin.
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
    """Return what a message calls a state; whether a server runs is not in it.

    Of one that is being led it cannot be said which of its files are those of before.
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
    """Say whether something is half moved, so that it has to be walked back first."""
    return isinstance(state, AMID)


def is_away(state: State) -> bool:
    """Say whether there is no data directory in its place, and nothing on its way there."""
    return isinstance(state, AWAY)


def keeps_copy(state: State) -> bool:
    """Say whether what stands where a copy would grow is the data directory itself."""
    return isinstance(state, Out | Changing | Finished | Putting)
