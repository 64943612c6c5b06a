"""The table of the states of a data directory, written out for review, and its invariants."""

import itertools
from collections.abc import Iterator
from typing import get_args

import pytest

from pgpool_recovery.domain.directory_state import (
    AMID,
    AWAY,
    Change,
    Changed,
    Changing,
    Done,
    End,
    Event,
    Finished,
    Free,
    InPlace,
    Lead,
    Led,
    LeftAlone,
    MadeAnew,
    Out,
    PutIn,
    PutOldBack,
    Putting,
    Remove,
    Removed,
    Removing,
    Reserve,
    Reserved,
    Restored,
    Restoring,
    State,
    Swap,
    Swapped,
    Swapping,
    TakeOut,
    Undo,
    WalkedBack,
    is_amid,
    is_away,
    keeps_copy,
    next_state,
    target_state,
)
from pgpool_recovery.domain.target_state import TargetState

FULL = {"/data": False}
STATES: tuple[State, ...] = (
    Free(),
    Reserved(),
    Restored(),
    Led(),
    Removing(is_out=False),
    Removing(is_out=True),
    Removed(),
    Out(),
    Changing("rewind", "out"),
    Changing("rewind", "finished"),
    Changing("rewind", "removed"),
    Changing("rewind", None),
    Finished(),
    Putting(),
    InPlace(),
    Swapping("reserved", FULL),
    Swapping("restored", FULL),
    Swapping("removed", FULL),
    Swapped("reserved", FULL),
    Swapped("restored", FULL),
    Swapped("removed", FULL),
    Restoring("reserved", FULL),
    Restoring("restored", FULL),
    Restoring("removed", FULL),
)
EVENTS: tuple[Event, ...] = (
    Reserve(),
    Lead(),
    Remove(),
    TakeOut(),
    Change("rewind"),
    LeftAlone(),
    Changed(),
    PutIn(),
    Swap(FULL),
    PutOldBack(),
    Done(),
    Undo(),
    WalkedBack(),
    WalkedBack(is_gone=True),
    MadeAnew(),
    End(),
)
TABLE = """
Free: Reserve -> Reserved, End -> Free
Reserved: Reserve -> Reserved, Lead -> Led, Remove -> Removing(False), TakeOut -> Out, \
Change -> Reserved, LeftAlone -> Reserved, Changed -> Reserved, Swap -> Swapping(reserved), \
PutOldBack -> Restoring(restored), End -> Free
Restored: Reserve -> Reserved, Remove -> Removing(False), TakeOut -> Out, Change -> Restored, \
LeftAlone -> Restored, Changed -> Restored, Swap -> Swapping(restored), \
PutOldBack -> Restoring(restored), End -> Free
Led: Reserve -> Reserved, Lead -> Led, WalkedBack -> Reserved, End -> Free
Removing(False): Done -> Removed, WalkedBack -> Reserved, WalkedBack(gone) -> Removed
Removing(True): Done -> Removed, WalkedBack -> Reserved, WalkedBack(gone) -> Removed
Removed: Reserve -> Removed, Remove -> Removing(False), TakeOut -> Removed, \
Change -> Changing(rewind, removed), Swap -> Swapping(removed), PutOldBack -> Restoring(restored), \
MadeAnew -> Free, End -> Removed
Out: Change -> Changing(rewind, out), WalkedBack -> Reserved
Changing(rewind, out): Reserve -> Changing(rewind, out), Remove -> Removing(True), \
Change -> Changing(rewind, None), LeftAlone -> Out, Changed -> Finished, \
PutOldBack -> Restoring(restored), MadeAnew -> Free, End -> Changing(rewind, out)
Changing(rewind, finished): Reserve -> Changing(rewind, finished), Remove -> Removing(True), \
Change -> Changing(rewind, None), LeftAlone -> Finished, Changed -> Finished, \
PutOldBack -> Restoring(restored), MadeAnew -> Free, End -> Changing(rewind, finished)
Changing(rewind, removed): Reserve -> Changing(rewind, removed), Remove -> Removing(True), \
Change -> Changing(rewind, None), LeftAlone -> Removed, Changed -> Finished, \
PutOldBack -> Restoring(restored), MadeAnew -> Free, End -> Changing(rewind, removed)
Changing(rewind, None): Reserve -> Changing(rewind, None), Remove -> Removing(True), \
Change -> Changing(rewind, None), LeftAlone -> Changing(rewind, None), Changed -> Finished, \
PutOldBack -> Restoring(restored), MadeAnew -> Free, End -> Changing(rewind, None)
Finished: Reserve -> Finished, Remove -> Removing(True), Change -> Changing(rewind, finished), \
PutIn -> Putting, PutOldBack -> Restoring(restored), MadeAnew -> Free, End -> Finished
Putting: Done -> InPlace, WalkedBack -> InPlace
InPlace: Reserve -> Reserved, End -> Free
Swapping(reserved): Done -> Swapped(reserved), WalkedBack -> Restored
Swapping(restored): Done -> Swapped(restored), WalkedBack -> Restored
Swapping(removed): Done -> Swapped(removed), WalkedBack -> Removed
Swapped(reserved): Reserve -> Reserved, Undo -> Restoring(reserved), End -> Free
Swapped(restored): Reserve -> Reserved, Undo -> Restoring(restored), End -> Free
Swapped(removed): Reserve -> Reserved, Undo -> Restoring(removed), End -> Free
Restoring(reserved): WalkedBack -> Restored
Restoring(restored): WalkedBack -> Restored
Restoring(removed): WalkedBack -> Removed
"""
"""`Undo` and `WalkedBack` are left out where they do not change the state."""


def name_of(state: State) -> str:
    match state:
        case Removing(is_out):
            return f"Removing({is_out})"
        case Changing(method, before):
            return f"Changing({method}, {before})"
        case Swapping(over) | Swapped(over) | Restoring(over):
            return f"{type(state).__name__}({over})"
    return type(state).__name__


def name_of_event(event: Event) -> str:
    return "WalkedBack(gone)" if event == WalkedBack(is_gone=True) else type(event).__name__


def row(state: State) -> Iterator[str]:
    for event in EVENTS:
        after = next_state(state, event)
        is_idle = after == state and isinstance(event, Undo | WalkedBack)
        is_twice = event == WalkedBack(is_gone=True) and after == next_state(state, WalkedBack())
        if after is not None and not is_idle and not is_twice:
            yield f"{name_of_event(event)} -> {name_of(after)}"


def test_table() -> None:
    """Each line has a state, and the events that can happen in it."""
    lines = [f"{name_of(state)}: {', '.join(row(state))}" for state in STATES]
    assert "\n".join(lines) == TABLE.strip()


def test_every_state_and_every_event_is_in_the_table() -> None:
    assert {type(state) for state in STATES} == set(get_args(State))
    assert {type(event) for event in EVENTS} == set(get_args(Event))


def test_every_state_can_be_reached() -> None:
    known: set[str] = set()
    new: list[State] = [Free()]
    while new:
        state = new.pop()
        if name_of(state) not in known:
            known.add(name_of(state))
            new += filter(None, (next_state(state, event) for event in EVENTS))
    assert known == {name_of(state) for state in STATES}


@pytest.mark.parametrize("state", STATES, ids=name_of)
def test_every_state_can_be_walked_back_to_one_where_a_run_can_begin(state: State) -> None:
    for is_gone in (False, True):
        back = next_state(state, WalkedBack(is_gone=is_gone))
        assert back is not None
        assert not is_amid(back)
        assert next_state(back, WalkedBack(is_gone=is_gone)) == back, "twice is once"
        assert next_state(back, Reserve()) is not None or is_amid(back)
        assert next_state(back, End()) is not None


@pytest.mark.parametrize("state", STATES, ids=name_of)
def test_undo_of_a_run_ends_with_nothing_half_moved(state: State) -> None:
    own = next_state(state, Undo())
    assert own is not None
    back = next_state(own, WalkedBack())
    assert back is not None
    assert not isinstance(back, (*AMID, Swapped, Led))


@pytest.mark.parametrize("state", STATES, ids=name_of)
def test_half_moved_state_is_not_reported_as_whole(state: State) -> None:
    is_whole = target_state(state) in (TargetState.UNTOUCHED, TargetState.RESTORED)
    assert not (is_whole and (is_amid(state) or is_away(state)))


def test_change_that_touched_nothing_leads_back_to_what_was_there() -> None:
    """Not always to `Out`, since `Out` means that the node's own files are in the directory."""
    for before in (Out(), Finished(), Removed()):
        changing = next_state(before, Change("rewind"))
        assert changing is not None
        assert next_state(changing, LeftAlone()) == before


def test_directory_itself_is_never_mistaken_for_a_copy() -> None:
    """In the workspace it is where a copy would be made, and unfinished copies are removed."""
    for state, event in itertools.product(STATES, EVENTS):
        after = next_state(state, event)
        if after is not None and keeps_copy(state) and not keeps_copy(after):
            # It is back at its path, is removed on purpose, or another one is put there.
            allowed = (Done, WalkedBack, Remove, PutOldBack, MadeAnew)
            is_nothing = isinstance(state, Changing) and state.before == "removed"
            assert isinstance(event, allowed) or (is_nothing and isinstance(event, LeftAlone))


def test_away_states_are_resting_ones() -> None:
    assert not set(AWAY) & set(AMID)
