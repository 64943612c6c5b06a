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
REPLAYS = (Method.REPOINT, Method.CATCH_UP)
"""The methods that only have a server replay WAL."""
FROM_ARCHIVE, STREAMED = "archive", "stream"
"""The kinds of their work. A command's kind is its name in the settings."""
BY_RATE = (Method.INCREMENTAL, Method.DELTA, Method.BASEBACKUP)
"""The methods that max_rate limits."""
BY_LINK = (Method.REPOINT, Method.CATCH_UP, Method.REWIND, Method.INCREMENTAL, Method.BASEBACKUP)
"""The methods that the link from the primary limits; a delta mostly reads."""
TELLS_FROM_S, TELLS_TIMES = 60.0, 10
"""A step that took so long tells how long any other takes. In a shorter one a good part may be what
comes with each (a checkpoint, connections), so it tells only of up to so many times its bytes."""
WORTH_TELLING_BYTES = 256 * 2**20
"""Less WAL is replayed so soon that reading the record for a forecast would only delay it."""
REPLAY_TELLS_FROM_S = 10.0
"""A shorter replay was mostly connections and the start of a server."""
NOT_KNOWN = "no earlier recovery to judge by"


@record
class Duration:
    """How long a plan will take, and how that is known.

    `work_s` is for its longest step, at `bytes_per_s`; `after_s` for what follows it, None if no
    earlier recovery shows that. `why` says where the rate is from; without a rate, it is how
    long it took the last time, whatever it moved. `is_least`: it is a limit.
    """

    work_s: float
    after_s: float | None
    bytes_per_s: float | None
    why: str
    is_least: bool = False

    @property
    def seconds(self) -> float:
        """How long it will take, as far as that is known."""
        return self.work_s + (self.after_s or 0.0)

    def __str__(self) -> str:
        word = "at least" if self.is_least else "about"
        rate = "" if self.bytes_per_s is None else f": {pretty_rate(self.bytes_per_s)}"
        return f"{word} {rough_duration(self.seconds)} ({self.why}{rate})"


def duration_of(
    situation: Situation, method: Method, size_bytes: int | None, kind: str | None = None
) -> Duration | None:
    """Return how long a method takes that works through so many bytes; None if that is not known.

    A rate on record counts before that of the link: it was that of the disks as well. `kind` is
    that of the work.
    """
    if method is Method.COMMAND:
        return _of_command(situation, kind)
    if size_bytes is None:
        return None
    if method in REPLAYS and (replay := _of_replay(situation, method, size_bytes, kind)):
        return replay
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


def _of_command(situation: Situation, kind: str | None) -> Duration | None:
    """Return how long a command of the user's took the last time that it recovered this node.

    Nobody knows how much it moves, so it is not compared with what it did on another node.
    """
    for pace in situation.facts.paces:
        is_same = pace.method == Method.COMMAND and pace.kind == kind
        if is_same and pace.is_of(situation.target):
            return Duration(pace.work_s, pace.after_s, None, f"as the last one by {kind}")
    return None


def _of_replay(
    situation: Situation, method: Method, size_bytes: int, kind: str | None
) -> Duration | None:
    """Return how long a server takes to receive and replay so much WAL; None if nothing tells.

    It is the same whether the server was started for it, after the last step, or was running, and
    was waited for in that step.
    """
    found = [
        pace
        for pace in situation.facts.paces
        if pace.method in REPLAYS and pace.kind == kind and pace.whole_s >= REPLAY_TELLS_FROM_S
    ]
    pace = min(found, key=lambda pace: not pace.is_of(situation.target), default=None)
    if pace is None or size_bytes < WORTH_TELLING_BYTES:
        return None
    rate = pace.work_bytes / pace.whole_s
    why = f"as the last {pace.method}{_from(kind)} of {pace.name}"
    seconds = size_bytes / rate
    work_s, after_s = (seconds, 0.0) if method is Method.REPOINT else (0.0, seconds)
    return Duration(work_s, after_s, rate, why)


def _from(kind: str | None) -> str:
    return " from an archive" if kind == FROM_ARCHIVE else ""


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
