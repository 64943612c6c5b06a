"""What an interrupted full copy left: whether a run goes on from it, and what it is counted as."""

from collections.abc import Iterator

from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.record import replace
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.facts.step.moving import Reserve
from pgpool_recovery.facts.step.step import Step
from pgpool_recovery.plan.situation import Situation

OF_WAL_ONLY = (Method.REPOINT, Method.CATCH_UP)
"""Methods that never need the directory in which a copy waits."""


def is_usable(situation: Situation) -> bool:
    """Return whether there is such a copy of this cluster, for the directories of this plan."""
    copy = situation.facts.target.copy
    return (
        copy is not None
        and copy.system_identifier == situation.facts.primary.system_identifier
        and copy.layout == {place.path: place.new for place in situation.places.all()}
    )


def notes_on_copy(situation: Situation, steps: tuple[Step, ...]) -> Iterator[str]:
    """Report that what was copied is removed before anything else."""
    copy, first = situation.facts.target.copy, steps[0] if steps else None
    if copy is not None and isinstance(first, Reserve) and not first.keeps_copy:
        yield f"what an interrupted copy left, {pretty_size(copy.size_bytes)}, is removed"


def keeping_copy(method: Method, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps of a plan that can do without the directory in which a copy waits.

    Should that plan fail, the next method may go on from the copy.
    """
    first, *others = steps
    if method not in OF_WAL_ONLY or not isinstance(first, Reserve):
        return steps
    return (replace(first, keeps_copy=True), *others)
