"""How long a recovery will take: as long as earlier ones did, or what limits it allows, or unknown.

No rate is assumed. A plan without an earlier recovery, and without a limit, gets no number.
"""

from collections.abc import Iterator

from pgpool_recovery.domain.quantity import pretty_rate, rough_duration
from pgpool_recovery.domain.record import record
from pgpool_recovery.facts.facts import Facts
from pgpool_recovery.facts.pace import Pace
from pgpool_recovery.facts.policy import Method, Policy, kilobytes
from pgpool_recovery.plan.situation import Situation

WORKS: dict[Method, str] = {
    Method.REWIND: "rewind",
    Method.INCREMENTAL: "incremental base backup",
    Method.RESTORE: "restore",
    Method.DELTA: "comparison of blocks",
    Method.BASEBACKUP: "full copy",
}
"""The methods whose longest step is proportional to bytes that are known beforehand."""
BY_RATE = (Method.INCREMENTAL, Method.DELTA, Method.BASEBACKUP)
"""The methods that max_rate limits."""
BY_LINK = (Method.REPOINT, Method.CATCH_UP, Method.REWIND, Method.INCREMENTAL, Method.BASEBACKUP)
"""The methods that the link from the primary limits; a delta mostly reads."""
TELLS_FROM_S, TELLS_TIMES = 60.0, 10
"""A step that took so long tells how long any other takes. In a shorter one a good part may be what
comes with each (a checkpoint, connections), so it tells only of up to so many times its bytes."""
NOT_KNOWN = "no earlier recovery to judge by"


@record
class Duration:
    """How long a plan will take, and how that is known.

    `work_s` is for its longest step, at `bytes_per_s`; `after_s` for what follows it, None if no
    earlier recovery shows that. `why` says where the rate is from. `is_least`: it is a limit.
    """

    work_s: float
    after_s: float | None
    bytes_per_s: float
    why: str
    is_least: bool = False

    @property
    def seconds(self) -> float:
        """How long it will take, as far as that is known."""
        return self.work_s + (self.after_s or 0.0)

    def __str__(self) -> str:
        word = "at least" if self.is_least else "about"
        rate = pretty_rate(self.bytes_per_s)
        return f"{word} {rough_duration(self.seconds)} ({self.why}: {rate})"


def duration_of(situation: Situation, method: Method, size_bytes: int | None) -> Duration | None:
    """Return how long a method takes that works through so many bytes; None if that is not known.

    A rate on record counts before that of the link: it was that of the disks as well.
    """
    if size_bytes is None:
        return None
    pace = pace_for(situation, method, size_bytes)
    facts, policy = situation.facts, situation.policy
    if pace is None:
        limits = _limits(facts, policy, method, size_bytes)
        return max(limits, key=lambda one: one.work_s, default=None)
    last = Duration(
        work_s=size_bytes / pace.bytes_per_s,
        after_s=pace.after_s,
        bytes_per_s=pace.bytes_per_s,
        why=f"as the last {WORKS[method]} of {pace.name}",
    )
    limit = _limit(policy, method, size_bytes, after_s=pace.after_s)
    return last if limit is None or limit.work_s <= last.work_s else limit


def pace_for(situation: Situation, method: Method, size_bytes: int) -> Pace | None:
    """Return the newest recovery on record by the method that tells; this node's before others'."""
    found = [
        pace
        for pace in situation.facts.paces
        if pace.method == method and method in WORKS and _tells(pace, size_bytes)
    ]
    return min(found, key=lambda pace: not pace.is_of(situation.target), default=None)


def _tells(pace: Pace, size_bytes: int) -> bool:
    return pace.work_s >= TELLS_FROM_S or size_bytes <= TELLS_TIMES * pace.work_bytes


def _limits(facts: Facts, policy: Policy, method: Method, size_bytes: int) -> Iterator[Duration]:
    limit = _limit(policy, method, size_bytes, after_s=None)
    if limit is not None:
        yield limit
    link = facts.link_bytes_per_s
    if link is not None and method in BY_LINK:
        yield Duration(size_bytes / link, None, link, "the link")


def _limit(
    policy: Policy, method: Method, size_bytes: int, *, after_s: float | None
) -> Duration | None:
    """Return the duration if max_rate limits the method."""
    if policy.max_rate is None or method not in BY_RATE:
        return None
    rate = kilobytes(policy.max_rate) * 1024
    return Duration(size_bytes / rate, after_s, rate, "max_rate", is_least=True)
