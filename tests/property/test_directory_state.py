"""Whatever happens to a data directory, in any order, its reported state is never too good.

A model follows what is really there: whether the node has unchanged data, data that a method has
changed, or none, and where that is. The state table may only say what is true of that.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from pgpool_recovery.domain.directory_state import (
    Change,
    Changed,
    Done,
    End,
    Event,
    Finished,
    Free,
    InPlace,
    Lead,
    LeftAlone,
    MadeAnew,
    Out,
    Putting,
    Remove,
    Removed,
    Removing,
    Reserve,
    Restoring,
    State,
    Swap,
    Swapping,
    TakeOut,
    WalkedBack,
    is_amid,
    is_away,
    keeps_copy,
    next_state,
    target_state,
)
from pgpool_recovery.domain.target_state import TargetState
from tests.unit.domain.test_directory_state import EVENTS, FULL

WORDS = {
    TargetState.UNTOUCHED: {"old"},
    TargetState.RESTORED: {"old"},
    TargetState.COPIED: {"new"},
}
"""The data that must be complete in the data directory when a target state is reported."""


@dataclass(frozen=True)
class Disk:
    """The data in the data directory and in the workspace: "old", "new" or "half".

    `swapped_out` is what this run's swap has moved aside. `began_with` is what the directory in the
    workspace had before it was changed there.
    """

    place: str | None = "old"
    away: str | None = None
    swapped_out: str | None = None
    began_with: str | None = None


def done_to(disk: Disk, state: State, event: Event, after: State) -> Disk:  # noqa: C901
    """Return what is there when everything that an event stands for has been done."""
    match event:
        case Reserve() | End():  # From then on, what is in its place is the node's data.
            data = "old" if disk.place is not None else None
            return replace(disk, place=data, swapped_out=None)
        case TakeOut() if isinstance(after, Out):
            return replace(disk, place=None, away=disk.place)
        case Change() if keeps_copy(after):
            return replace(disk, away="half", began_with=disk.away)
        case LeftAlone() if keeps_copy(state):
            known = disk.began_with != "half"
            return replace(disk, away=disk.began_with if known else "half")
        case Changed() if keeps_copy(after):
            return replace(disk, away="new")
        case Lead():
            return replace(disk, place="half")
        case Done() if isinstance(state, Removing):
            return Disk(place=None)
        case Done() if isinstance(state, Putting):
            return replace(disk, place=disk.away, away=None)
        case Done() if isinstance(state, Swapping):
            return replace(disk, place="new", swapped_out=disk.place, away=None)
        case WalkedBack(is_gone):
            return walked_back(disk, state, is_gone=is_gone)
        case MadeAnew():
            return Disk(place="old")
    return disk


def walked_back(disk: Disk, state: State, *, is_gone: bool) -> Disk:
    match state:
        case Swapping():  # Nothing, or only a part, was done.
            return disk
        case Restoring(over, _):  # Either this run has swapped it out, or an earlier one.
            own = over != "restored" or disk.swapped_out is not None
            return replace(disk, place=disk.swapped_out if own else "old", away=None)
        case Removing():
            return Disk(place=None) if is_gone else replace(disk, place="old", away=None)
        case Out() | Putting():
            return replace(disk, place=disk.away, away=None)
    return replace(disk, place="old") if disk.place == "half" else disk


CHOICES = st.lists(st.integers(0, 10_000), min_size=30, max_size=90)


def story(choices: list[int]) -> Iterator[tuple[State, Event, State]]:
    """Yield each state, an event drawn from those that are possible in it, and the next state."""
    state: State = Free()
    for choice in choices:
        possible = [event for event in EVENTS if next_state(state, event) not in (None, state)]
        event = possible[choice % len(possible)]
        after = next_state(state, event)
        assert after is not None
        yield state, event, after
        state = after


def test_what_is_said_is_true_of_what_is_there() -> None:
    """It is true for every disk that any order of events can lead to."""
    seen: set[tuple[str, Disk]] = set()
    new: list[tuple[State, Disk]] = [(Free(), Disk())]
    while new:
        before, disk = new.pop()
        if (repr(before), disk) in seen:
            continue
        seen.add((repr(before), disk))
        for event in EVENTS:
            state = next_state(before, event)
            if state is not None:
                after = done_to(disk, before, event, state)
                assert_true(state, after, (before, disk, event))
                new.append((state, after))
    assert len(seen) > len(EVENTS)


def assert_true(state: State, disk: Disk, why: object) -> None:
    if is_amid(state):
        assert target_state(state) is TargetState.INCOMPLETE, why
    elif target_state(state) in WORDS and disk.place is not None:
        assert disk.place in WORDS[target_state(state)], why
    if is_away(state):
        assert disk.place is None, why
    if isinstance(state, Finished):
        assert disk.away == "new", why
    if isinstance(state, InPlace):
        assert disk.place is not None, why


@given(CHOICES)
def test_from_wherever_it_stops_a_second_recovery_begins_and_ends(choices: list[int]) -> None:
    """The second recovery is a full copy, which every resting state allows."""
    state: State = Free()
    for _, _, after in story(choices):
        state = after
    state = then(state, WalkedBack(), End(), Reserve())
    if is_away(state) and not isinstance(state, Removed):
        state = then(state, Remove(), Done())
    assert then(state, Swap(FULL), Done(), End()) == Free()


def then(state: State, *events: Event) -> State:
    for event in events:
        after = next_state(state, event)
        assert after is not None, (state, event)
        state = after
    return state


@given(CHOICES)
def test_data_that_was_removed_is_never_called_untouched(choices: list[int]) -> None:
    """Neither this run nor a later one calls it so, until there is other data."""
    is_gone = False
    for before, event, state in story(choices):
        if isinstance(state, Removed):
            is_gone = True
        if is_gone and target_state(state) is not TargetState.INCOMPLETE:
            is_other = isinstance(event, MadeAnew | Done | WalkedBack)
            assert is_other, (before, event, state)
            is_gone = False
