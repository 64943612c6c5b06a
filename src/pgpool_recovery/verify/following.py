"""Wait until a standby that was repointed while running follows this primary."""

from collections.abc import Callable

from pgpool_recovery.domain.error import NotStreaming
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.standby import STREAMING, Fault, StandbyFacts
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.verify.missing_wal import MissingWal
from pgpool_recovery.verify.streaming import Expected, SeenStandby, watch


def wait_until_following(
    connection: Connection,
    expected: Expected,
    ask: Callable[[], StandbyFacts],
    log: Callable[[], str | None],
    on_tick: Callable[[], None],
    tell: Callable[[str], None],
) -> bool:
    """Wait until it streams from its slot on the primary's timeline; return whether it caught up.

    If it waits for WAL that is nowhere, `tell` is called with a sentence.

    The server has kept running, so it may have received something from its former primary after it
    was observed. It then cannot follow this primary to its timeline, and its log says so. A standby
    that is far behind is left to replay as long as it is in the primary's past. Raises
    NotStreaming.
    """
    soon = replace(expected, catch_up_s=min(expected.begin_s, expected.catch_up_s))
    missing = MissingWal(connection, tell)
    seen = watch(connection, soon, ask, on_tick, missing.look)
    if seen.trouble is None:
        return True
    if is_on_its_way(seen):
        return False
    texts = (seen.trouble.detail, missing.sentence, log())
    raise NotStreaming(
        f"{expected.name} {seen.trouble.what}",
        detail="\n".join(text for text in texts if text) or None,
        hint=seen.trouble.hint,
    )


def is_on_its_way(seen: SeenStandby) -> bool:
    """Return whether the standby streams and is only behind."""
    is_behind = seen.trouble is not None and seen.trouble.fault is Fault.BEHIND
    return is_behind and seen.node.receiver == STREAMING
