"""Whether a standby that runs now is one of this primary, by what both of them say."""

import time
from collections.abc import Callable

from pgpool_recovery.domain.pause import pause_s
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.standby import (
    Fault,
    StandbyFacts,
    StreamFacts,
    Trouble,
    UpstreamFacts,
    judge,
)
from pgpool_recovery.domain.wal import Lsn, parse_lsn
from pgpool_recovery.log.note import waits
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.standby import read_upstream

TICK_S = 0.2
WAKE_EVERY_S = 2.0
THE_PRIMARY = "the primary"


@record
class Expected:
    """A standby that is to stream by a slot; how long it may take to begin, and to catch up.

    A single call of its restore_command may take `restore_s`. Without a `slot_name` it is known by
    the slot, or the name, by which it says that it streams.
    """

    name: str
    slot_name: str | None
    begin_s: float
    catch_up_s: float
    restore_s: float = 0.0


@record
class SeenStandby:
    """How a standby was seen last; `trouble` is why it is not believed, None when it is.

    `moves`: within the last `begin_s` it has replayed something. `stream`: the row of
    pg_stat_replication that was taken for its own.
    """

    node: StandbyFacts
    trouble: Trouble | None
    moves: bool
    stream: StreamFacts | None = None


@waits("the node to be a sound standby")
def watch(
    connection: Connection,
    expected: Expected,
    ask: Callable[[], StandbyFacts],
    on_tick: Callable[[], None] = lambda: None,
) -> SeenStandby:
    """Look at a standby until it is well, or will not be.

    Once it streams the primary writes something, and it has to replay that: so replay moves, and
    it is the WAL of this primary that it replays. What cannot become better ends it at once. As
    long as replay gets on, say from an archive, it is waited for: `begin_s` is without progress.
    """
    position: Lsn | None = None
    progress = WaitProgress(time.monotonic())
    woken = progress.began
    while True:
        node = ask()
        upstream = look(connection, expected, node)  # After the node, so it cannot be behind it.
        trouble, now = judge(node, upstream, position), time.monotonic()
        progress.note(node, upstream, now)
        if trouble is None and position is not None:
            return SeenStandby(node, None, moves=True, stream=upstream.stream)
        if trouble is not None and (
            trouble.fault.is_final or progress.is_over(trouble, expected, now)
        ):
            moves = now - progress.moved <= expected.begin_s and progress.has_moved
            return SeenStandby(node, trouble, moves=moves)
        # A standby to which nothing is sent seldom says how far it is, where only that is known.
        is_unheard = position is not None and node.problem is not None
        if (trouble is None and position is None) or (is_unheard and now - woken > WAKE_EVERY_S):
            written = write_something(connection)
            position, woken = position or written, now
        else:
            on_tick()
            time.sleep(pause_s(now - woken, TICK_S))


class WaitProgress:
    """Since when is waited, and when replay got on last.

    Until it has what the primary had written when the wait began: whoever then does not stream
    follows an archive, and would do so for ever.
    """

    def __init__(self, now: float) -> None:
        self.began = self.moved = now
        self.has_moved = False
        self._reached: Lsn | None = None
        self._goal: Lsn | None = None
        self._is_restoring = False

    def note(self, node: StandbyFacts, upstream: UpstreamFacts, now: float) -> None:
        """Take note of how far replay is."""
        stream = upstream.stream
        self._is_restoring = node.restoring is not None
        self._goal = upstream.written if self._goal is None else self._goal
        reached = node.replayed or (None if stream is None else stream.replayed)
        if reached is not None and (self._reached is None or reached > self._reached):
            self.has_moved = self._reached is not None
            had, goal = self._reached, self._goal
            is_there = had is not None and goal is not None and had >= goal
            self._reached = reached
            if stream is not None or not is_there:
                self.moved = now

    def is_over(self, trouble: Trouble, expected: Expected, now: float) -> bool:
        """Say whether that is enough: one that streams may be busy with a single record.

        One that streams and does not catch up may never do so, but it is there. One that does not
        stream yet is waited for as long as it gets on, or waits for its restore_command.
        """
        if trouble.fault is Fault.BEHIND:
            longest = max(expected.begin_s, expected.catch_up_s)
            return now - self.moved > expected.catch_up_s or now - self.began > longest
        patience = expected.begin_s
        if self._is_restoring:
            patience = max(patience, expected.restore_s)
        return now - self.moved > patience


def look(connection: Connection, expected: Expected, node: StandbyFacts) -> UpstreamFacts:
    """Return what the primary says of a node that has said what it is."""
    own = expected.slot_name or node.slot_name or node.wanted_slot
    slots = set() if own is None else {own}
    return read_upstream(connection, THE_PRIMARY, slots, node.application_name)


def write_something(connection: Connection) -> Lsn:
    """Have the primary write a small record into its WAL; return a position after that."""
    connection.rows("wake_standbys")
    return parse_lsn(connection.row("upstream")["written"])
