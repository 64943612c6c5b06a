"""Whether a standby that was led here while it ran follows this primary, as both see it."""

import time
from collections.abc import Callable
from dataclasses import replace

from pgpool_recovery.domain.error import NotStreaming, Unverified
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.plan.facts import Wal
from pgpool_recovery.plan.running import Running, RunningServer
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.wal import read_wal
from pgpool_recovery.verify.streaming import TICK_S, Expected, wait_until_streaming


def wait_until_following(
    connection: Connection,
    expected: Expected,
    ask: Callable[[], Running],
    log: Callable[[], str],
    on_tick: Callable[[], None],
) -> bool:
    """Wait until it streams by its slot, on the primary's timeline; say whether it has caught up.

    Its own server runs on until now, and may have received something from its former primary after
    it was looked at: then it cannot follow to the timeline of this one, and says so in its log.
    One that is far behind is left to replay, as long as it is in the primary's past. Raises
    NotStreaming.
    """
    soon = replace(expected, catch_up_s=min(expected.begin_s, expected.catch_up_s))
    has_caught_up = True
    try:
        wait_until_streaming(connection, soon, log, on_tick)
    except NotStreaming:
        raise
    except Unverified:
        has_caught_up = False
    deadline = time.monotonic() + expected.begin_s
    while not follows(ask(), read_wal(connection), has_caught_up=has_caught_up):
        if time.monotonic() > deadline:
            end = log()
            raise NotStreaming(
                f"{expected.name} runs, but does not follow the primary to its timeline",
                detail=f"Its log ends:\n{end}" if end else None,
            )
        time.sleep(TICK_S)
    return has_caught_up


def follows(said: Running, wal: Wal, *, has_caught_up: bool) -> bool:
    """Say whether it streams on the primary's timeline, or on the way there, which it has not left.

    A position on the primary's timeline alone would not do: who writes on another one may be at a
    higher position.
    """
    if not isinstance(said, RunningServer) or said.receiving is None or said.replayed is None:
        return False
    if has_caught_up:
        return said.receiving == wal.history.current
    return wal.history.has(Point(said.receiving, said.replayed))
