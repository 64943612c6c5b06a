"""The steps that reserve, move and remove whole directories of the target."""

from typing import ClassVar

from pgpool_recovery.domain.record import record
from pgpool_recovery.facts.step.place import Places, Touches


@record
class Reserve:
    """Reserve the target for this run, and clean up what an interrupted run left.

    `keeps_copy`: what it left of a full copy stays, because this run goes on from it, or can do
    without the space.
    """

    touches: ClassVar[Touches] = Touches.BESIDE
    places: Places
    keeps_copy: bool = False

    def __str__(self) -> str:
        return f"reserve {self.places.data.path}"


@record
class DiscardWaiting:
    """Remove the data that an earlier recovery replaced; the server has run well since."""

    touches: ClassVar[Touches] = Touches.BESIDE
    places: Places
    size_bytes: int = 0

    def __str__(self) -> str:
        return "remove the data that an earlier recovery replaced"


@record
class PutOldBack:
    """Put back the data that an earlier recovery replaced with a copy that never ran well."""

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places

    def __str__(self) -> str:
        return "put the old data back in place of a copy that never ran well"


@record
class Clone:
    """Clone all directories on a filesystem that shares blocks; the clone is changed."""

    touches: ClassVar[Touches] = Touches.BESIDE
    places: Places

    def __str__(self) -> str:
        return "clone the data directory; the old one stays unchanged"


@record
class TakeOut:
    """Move the data directory into the workspace, so that it cannot be started half changed.

    Until the next step nothing is changed, and it is put back on a failure.
    """

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places

    def __str__(self) -> str:
        return f"move {self.places.data.path} into the workspace"


@record
class PutInPlace:
    """Move the directory from the workspace back to its path."""

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places

    def __str__(self) -> str:
        return f"put it into place at {self.places.data.path}"


@record
class RemoveOld:
    """Remove the old data: the point of no return of a plan that does not keep it."""

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places
    size_bytes: int = 0

    def __str__(self) -> str:
        return f"remove the old data in {self.places.data.path}"


@record
class SwapIn:
    """Replace the old data with the copy."""

    touches: ClassVar[Touches] = Touches.PLACE
    places: Places

    def __str__(self) -> str:
        return f"put the copy into place at {self.places.data.path}"
