"""Whether a standby that was led here while it ran follows this primary, as both see it."""

from collections.abc import Callable

from pgpool_recovery.domain.error import NotStreaming
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.standby import STREAMING, Fault, StandbyFacts
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.verify.streaming import Expected, SeenStandby, watch


def wait_until_following(
    connection: Connection,
    expected: Expected,
    ask: Callable[[], StandbyFacts],
    log: Callable[[], str | None],
    on_tick: Callable[[], None],
) -> bool:
    """Wait until it streams by its slot, on the primary's timeline; say whether it has caught up.

    Its own server runs on until now, and may have received something from its former primary after
    it was looked at: then it cannot follow to the timeline of this one, and says so in its log.
    One that is far behind is left to replay, as long as it is in the primary's past. Raises
    NotStreaming.
    """
    soon = replace(expected, catch_up_s=min(expected.begin_s, expected.catch_up_s))
    seen = watch(connection, soon, ask, on_tick)
    if seen.trouble is None:
        return True
    if is_on_its_way(seen):
        return False
    texts = (seen.trouble.detail, log())
    raise NotStreaming(
        f"{expected.name} {seen.trouble.what}",
        detail="\n".join(text for text in texts if text) or None,
        hint=seen.trouble.hint,
    )


def is_on_its_way(seen: SeenStandby) -> bool:
    """Say whether all that is wrong is that it has not come to the end yet."""
    is_behind = seen.trouble is not None and seen.trouble.fault is Fault.BEHIND
    return is_behind and seen.node.receiver == STREAMING
