"""The longest step of a plan: what it works through, and how long it is expected to take."""

from pgpool_recovery.domain.record import record


@record
class Work:
    """The step of a plan that works through the most data.

    `step` is its number, and `size_bytes` the plan's estimate of what it works through: what it
    moves, or for a comparison what it reads. It is 0 if nobody knows. `expected_s` is how long it
    is expected to take, and `after_s` how long everything after it, up to the end of the recovery;
    None if there is nothing to judge by. If a server only replays WAL, it does so during the last
    step or after it, and `step` is the last one. `kind`: only an earlier work of the same kind
    tells how long it takes.
    """

    step: int
    size_bytes: int
    expected_s: float | None = None
    after_s: float | None = None
    kind: str | None = None
