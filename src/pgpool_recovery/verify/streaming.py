"""Watch a running standby until it is known whether it is one of this primary, by what both say."""

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
FAR_TICK_S = 0.5
WAKE_EVERY_S = 2.0
THE_PRIMARY = "the primary"
FAR_BYTES = 64 * 2**20
"""A standby that follows an archive is this far behind at most: a few segments."""
NEARER = 0.9
"""What part of the distance is left, at most, when a standby gets nearer to the primary."""


OnLook = Callable[[StandbyFacts, UpstreamFacts], None]
"""What else to do with an observation of the standby and of the primary."""


@record
class Expected:
    """A standby that must stream from a slot, and how long it may take, in seconds.

    `begin_s` is the limit for replay without progress, `catch_up_s` the limit for catching up once
    it streams, and `restore_s` what a single call of its restore_command may take. Without a
    `slot_name`, the standby is identified by the slot or the name that it says it streams with.
    """

    name: str
    slot_name: str | None
    begin_s: float
    catch_up_s: float
    restore_s: float = 0.0


@record
class SeenStandby:
    """The last observation of a standby; `trouble` is why it is not sound, None if it is.

    `moves`: it has replayed something within the last `begin_s` seconds. `stream`: the row of
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
    on_look: OnLook = lambda _node, _upstream: None,
) -> SeenStandby:
    """Watch a standby until it is sound, or until it is clear that it will not be.

    Once it streams, the primary writes something that the standby must replay. That proves that
    replay moves, and that it replays the WAL of this primary. A fault that cannot improve ends the
    wait at once. As long as replay makes progress, for example from an archive, the wait goes on:
    `begin_s` counts from the last progress.
    """
    position: Lsn | None = None
    progress = WaitProgress(time.monotonic())
    woken = progress.began
    while True:
        node = ask()
        upstream = look(connection, expected, node)  # After `ask`, so it is not behind the node.
        trouble, now = judge(node, upstream, position), time.monotonic()
        progress.note(node, upstream, now)
        on_look(node, upstream)
        if trouble is None and position is not None:
            return SeenStandby(node, None, moves=True, stream=upstream.stream)
        if trouble is not None and (
            trouble.fault.is_final or progress.is_over(trouble, expected, now)
        ):
            moves = now - progress.moved <= expected.begin_s and progress.has_moved
            return SeenStandby(node, trouble, moves=moves)
        # If the node cannot be queried, only its replies to the primary tell its position, and a
        # standby to which nothing is sent seldom replies.
        is_unheard = position is not None and node.problem is not None
        if (trouble is None and position is None) or (is_unheard and now - woken > WAKE_EVERY_S):
            written = write_something(connection)
            position, woken = position or written, now
        else:
            on_tick()
            time.sleep(until_next_look_s(node, upstream, now - woken))


def until_next_look_s(node: StandbyFacts, upstream: UpstreamFacts, waited_s: float) -> float:
    """Return how long to wait before the standby is looked at again.

    A look costs a session on the standby, whose replay may need the processor. So there are few of
    them while it is far behind.
    """
    written, replayed = upstream.written, node.replayed
    if written is not None and replayed is not None and written - replayed > FAR_BYTES:
        return FAR_TICK_S
    return pause_s(waited_s, TICK_S)


class WaitProgress:
    """When the wait began, and when replay last made progress.

    Progress without streaming counts until the standby has what the primary had written when the
    wait began, and then, if it is much nearer to the primary than it was, until it has what the
    primary has written by then, and so on. One that does not get nearer follows an archive, and
    would do so forever.
    """

    def __init__(self, now: float) -> None:
        self.began = self.moved = now
        self.has_moved = False
        self._reached: Lsn | None = None
        self._goal: Lsn | None = None
        self._behind: int | None = None
        """How far the standby was behind when the goal was set."""
        self._is_restoring = False

    def note(self, node: StandbyFacts, upstream: UpstreamFacts, now: float) -> None:
        """Record the position of replay."""
        stream = upstream.stream
        self._is_restoring = node.restoring is not None
        self._goal = upstream.written if self._goal is None else self._goal
        reached = node.replayed or (None if stream is None else stream.replayed)
        if reached is not None and (self._reached is None or reached > self._reached):
            self.has_moved = self._reached is not None
            is_there = self._is_there(upstream.written)
            self._reached = reached
            if self._behind is None and self._goal is not None:
                self._behind = self._goal - reached
            if stream is not None or not is_there:
                self.moved = now

    def _is_there(self, written: Lsn | None) -> bool:
        """Return whether the standby has reached its goal; set another one if it gets nearer."""
        if self._reached is None or self._goal is None or self._reached < self._goal:
            return False
        behind = 0 if written is None else written - self._reached
        before = self._behind or 0
        if written is None or behind < FAR_BYTES or behind > NEARER * before:
            return True
        self._goal, self._behind = written, behind
        return False

    def is_over(self, trouble: Trouble, expected: Expected, now: float) -> bool:
        """Return whether to give up; a standby that streams may be busy with a single record.

        A standby that streams may never catch up, so that wait has a limit in all. For one that
        does not stream yet, the wait goes on as long as replay makes progress, or as its
        restore_command may take.
        """
        if trouble.fault is Fault.BEHIND:
            longest = max(expected.begin_s, expected.catch_up_s)
            return now - self.moved > expected.catch_up_s or now - self.began > longest
        patience = expected.begin_s
        if self._is_restoring:
            patience = max(patience, expected.restore_s)
        return now - self.moved > patience


def look(connection: Connection, expected: Expected, node: StandbyFacts) -> UpstreamFacts:
    """Return what the primary says about a node, identified by what the node says about itself."""
    own = expected.slot_name or node.slot_name or node.wanted_slot
    slots = set() if own is None else {own}
    return read_upstream(connection, THE_PRIMARY, slots, node.application_name)


def write_something(connection: Connection) -> Lsn:
    """Make the primary write a small WAL record, and return a position after it."""
    connection.rows("wake_standbys")
    return parse_lsn(connection.row("upstream")["written"])
