"""Decide whether the primary compresses what it sends of a base backup."""

from pgpool_recovery.facts.policy import Compress
from pgpool_recovery.plan.situation import Situation

SERVER_COMPRESSES_SINCE = 15
FAST_LINK_BYTES_PER_S = 250e6
ZSTD = "zstd"
WORKERS = 2
"""Threads that compress on the primary: one may not keep up with such a link, and more would take
too much from its clients."""


def compression(situation: Situation) -> str | None:
    """Return the compression for the bottleneck: compress if the link is slower than that.

    It is zstd at its quickest level, whatever is wanted: the target has a library for it, and with
    threads the primary compresses as quickly as with lz4.
    """
    primary, wanted = situation.facts.primary, situation.policy.compress
    if primary.major < SERVER_COMPRESSES_SINCE or wanted is Compress.NONE:
        return None
    if ZSTD not in primary.compressions or not situation.facts.target.has_zstd:
        return None
    link = situation.facts.link_bytes_per_s
    is_slow = link is not None and link <= FAST_LINK_BYTES_PER_S
    return ZSTD if wanted is not Compress.AUTO or is_slow else None


def workers(situation: Situation) -> int | None:
    """Return how many threads of the primary compress; None if it does not."""
    if compression(situation) is None:
        return None
    return situation.policy.workers or WORKERS
