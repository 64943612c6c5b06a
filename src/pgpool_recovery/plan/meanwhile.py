"""How much WAL the primary writes while a transfer runs."""

from collections.abc import Iterator

from pgpool_recovery.domain.quantity import pretty_rate, pretty_size, rough_duration
from pgpool_recovery.domain.record import record
from pgpool_recovery.facts.facts import Facts, PrimaryFacts
from pgpool_recovery.facts.policy import Policy, kilobytes
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.plan.duration import Duration

ASSUMED_BYTES_PER_S = 200e6
"""What an average disk writes; how fast the target's is, nobody knows before the first copy."""
OBSERVED_FROM_S = 60.0
"""WAL written in a shorter time is counted as if it were that of this time: a checkpoint that has
just begun is followed by full-page images, and says nothing about the next hour."""
SPARED_BYTES = 2**30
"""What must stay free on the primary: to fill its disk would be an outage."""
WORTH_SAYING_BYTES = 64 * 2**20
"""Less WAL than that is not mentioned; it is a few files, which the primary keeps anyway."""


@record
class Meanwhile:
    """A forecast: how long a transfer takes, and how much WAL the primary writes in that time."""

    seconds: float
    wal_bytes_per_s: float

    @property
    def wal_bytes(self) -> int:
        """How much WAL will be written."""
        return int(self.seconds * self.wal_bytes_per_s)

    def __str__(self) -> str:
        size, time = pretty_size(self.wal_bytes), rough_duration(self.seconds)
        rate = pretty_rate(self.wal_bytes_per_s)
        return f"about {size} of WAL will be written meanwhile ({rate} for about {time})"


def wal_rate(
    recent_bytes: float, recent_s: float, counted_bytes: float, counted_s: float | None
) -> float:
    """Return how many bytes of WAL a primary writes per second, rather more than less.

    The first pair is what it wrote since its last checkpoint began, the second what it wrote by
    itself since its statistics were reset. The latter is little for one that was a standby for most
    of that time; the former is nothing shortly after a restart.

    >>> wal_rate(600e6, 300, 90e6, 3600)
    2000000.0
    >>> wal_rate(30e6, 1, 3600e6, 3600)
    1000000.0
    >>> wal_rate(0, 0, 0, None)
    0.0
    """
    recent = max(0.0, recent_bytes) / max(recent_s, OBSERVED_FROM_S)
    counted = 0.0 if counted_s is None else counted_bytes / max(counted_s, OBSERVED_FROM_S)
    return max(recent, counted)


def transfer_rate(facts: Facts, policy: Policy) -> float:
    """Return the bytes per second of a copy: the lowest of what limits it, rather too few."""
    known = [ASSUMED_BYTES_PER_S]
    if facts.link_bytes_per_s is not None:
        known.append(facts.link_bytes_per_s)
    if policy.max_rate is not None:
        known.append(kilobytes(policy.max_rate) * 1024)
    return min(known)


def meanwhile(
    facts: Facts, policy: Policy, moved_bytes: int | None, known: Duration | None = None
) -> Meanwhile | None:
    """Return the forecast for a transfer of that size; None if the primary's rate is not known.

    `known` is how long it will take if an earlier recovery shows that.
    """
    rate = facts.primary.wal_bytes_per_s
    if rate is None or moved_bytes is None:
        return None
    if known is not None and known.after_s is not None:
        link = facts.link_bytes_per_s
        at_least_s = 0.0 if link is None else moved_bytes / link  # It may be slower this time.
        return Meanwhile(max(known.work_s, at_least_s), rate)
    return Meanwhile(moved_bytes / transfer_rate(facts, policy), rate)


def reject_kept_wal(primary: PrimaryFacts, forecast: Meanwhile | None) -> Iterator[Rejection]:
    """Report WAL that would stay behind the slot and fill the primary's disk.

    This is for methods whose WAL is fetched only once they are done. A full copy streams it.
    """
    free = primary.wal_free_bytes
    if forecast is None or free is None:
        return
    limit = primary.slot_limit_bytes
    kept = forecast.wal_bytes if limit is None else min(limit, forecast.wal_bytes)
    if kept > WORTH_SAYING_BYTES and kept + SPARED_BYTES > free:
        yield Rejection(
            "not enough space on the primary",
            detail=f"The filesystem of its WAL has {pretty_size(free)} free, but {forecast}, which "
            "the slot would retain.",
            hint="Make room there.",
            is_for_space=True,
        )


def notes_on_kept_wal(primary: PrimaryFacts, forecast: Meanwhile | None) -> Iterator[str]:
    """Report a slot that may lose its WAL before a method is done that fetches it afterwards."""
    limit = primary.slot_limit_bytes
    if forecast is not None and limit is not None and forecast.wal_bytes > limit:
        yield (
            f"the primary keeps at most {pretty_size(limit)} of WAL for a slot "
            f"(max_slot_wal_keep_size), and {forecast}; the recovery fails if that is too little"
        )
