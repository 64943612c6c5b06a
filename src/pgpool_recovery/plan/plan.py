"""A plan: the method, what it moves and needs, and the steps in their order."""

from dataclasses import dataclass
from enum import Enum

from pgpool_recovery.domain.event import megabytes
from pgpool_recovery.plan.facts import Conninfo
from pgpool_recovery.plan.step import RemoveOld, Step


class OldData(Enum):
    """What becomes of the data that the target has."""

    NONE = "there is no old data"
    STAYS = "the old data stays until the new server runs"
    GOES = "the old data is removed before the copy, for want of space or by policy"


@dataclass(frozen=True)
class Plan:
    """What a recovery will do; sizes are the server's estimates."""

    target_name: str
    method: str
    conninfo: Conninfo
    slot_name: str
    copy_bytes: int
    old_data: OldData
    notes: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def point_of_no_return(self) -> Step | None:
        """The step before which everything can be undone; None when all can be until the end."""
        return next((step for step in self.steps if isinstance(step, RemoveOld)), None)

    def sentences(self) -> tuple[str, ...]:
        """Return the plan as an operator reads it."""
        return (
            f"plan: {self.method}, a full copy of about {megabytes(self.copy_bytes)}",
            self.old_data.value,
            *(f"note: {note}" for note in self.notes),
        )
