"""How fast an earlier recovery was, from the record."""

from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.record import record


@record
class Pace:
    """What the longest step of a recovery that succeeded worked through, and how long it took.

    `work_bytes` is the estimate of its plan, as it is for the plan that is judged by it: a method's
    estimates are wrong in the same way each time; 0 if it had none. `work_s` is the duration of
    that step, and `after_s` that of everything after it, up to the end of the recovery. `kind` is
    that of its work.
    """

    method: str
    node_id: int | None
    host: str
    data_directory: str
    work_bytes: int
    work_s: float
    after_s: float
    kind: str | None = None

    @property
    def bytes_per_s(self) -> float:
        """The rate of that step."""
        return self.work_bytes / self.work_s

    @property
    def whole_s(self) -> float:
        """How long that step and everything after it took."""
        return self.work_s + self.after_s

    @property
    def name(self) -> str:
        """What messages call the node."""
        node_id = None if self.node_id is None else NodeId(self.node_id)
        return Target(self.host, self.data_directory, node_id).name

    def is_of(self, target: Target) -> bool:
        """Return whether it was a recovery of this node."""
        if self.node_id is not None and target.node_id is not None:
            return self.node_id == target.node_id
        return (self.host, self.data_directory) == (target.host, target.data_directory)
