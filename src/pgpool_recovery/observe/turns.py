"""Let the nodes of a cluster try each other in turns, so that none gets many logins at once.

The agents do not know of each other. If all of them tried a node at the same time, its sshd would
turn some away at random (MaxStartups), and its server would run out of WAL senders, which are as
many as its standbys and a copy need; a standby that comes back meanwhile would be refused. So each
host is tried by one of the others at a time. Then every node is trying one of the others while
another one tries it, and the whole takes as long as one node needs for all others.
"""

import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

from pgpool_recovery.log.note import waits

HELD_UP_S = 10.0
"""Something that does not come to an end by then is held up by the network, and needs neither a
WAL sender nor a place in sshd's queue; so it is no longer waited for."""


class Turns:
    """Who is trying which host now. `hosts` are those of the nodes, by their places."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._hosts = tuple(hosts)
        self._busy: Counter[str] = Counter()
        self._reached: dict[int, bool] = {}
        self._changed = threading.Condition()

    def arrive(self, place: int, *, is_reached: bool) -> None:
        """Note whether a node could be examined; only then the others try it. The first counts."""
        with self._changed:
            self._reached.setdefault(place, is_reached)
            self._changed.notify_all()

    @waits("all nodes to be examined")
    def all_arrive(self, within_s: float) -> bool:
        """Wait for all nodes; return whether they arrived in time. Those that did not never do."""
        with self._changed:
            have_all = self._changed.wait_for(lambda: len(self._reached) == self._count, within_s)
        for place in range(self._count):
            self.arrive(place, is_reached=False)
        return have_all

    @contextmanager
    def at(self, what: str, within_s: float = HELD_UP_S) -> Iterator[None]:
        """Have a host, or anything else with a name, alone for a while."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy[what], within_s)
            self._busy[what] += 1
        try:
            yield
        finally:
            self._release(what)

    def in_turn(self, place: int, until: float) -> Generator[int, None, None]:
        """Yield the place of every other node that could be reached, once, when nobody tries it.

        It counts as tried until the next one is asked for. Ends when the clock says `until`.
        """
        waiting = self.order(place)
        while waiting:
            other = self._next(waiting, until)
            if other is None:
                return
            waiting.remove(other)
            try:
                yield other
            finally:
                self._release(self._hosts[other])

    def order(self, place: int) -> list[int]:
        """Return the others, beginning with the next one, so that not all begin with the same."""
        return [(place + distance) % self._count for distance in range(1, self._count)]

    @property
    def _count(self) -> int:
        return len(self._hosts)

    @waits("a node that nobody is trying")
    def _next(self, waiting: Sequence[int], until: float) -> int | None:
        """Reserve the first of these nodes that is free; None if there will be none."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._free(waiting) is not None or self._is_vain(waiting),
                max(0.0, until - time.monotonic()),
            )
            found = self._free(waiting)
            if found is not None:
                self._busy[self._hosts[found]] += 1
            return found

    def _free(self, waiting: Sequence[int]) -> int | None:
        free = (
            one for one in waiting if self._reached.get(one) and not self._busy[self._hosts[one]]
        )
        return next(free, None)

    def _is_vain(self, waiting: Sequence[int]) -> bool:
        return all(self._reached.get(one) is False for one in waiting)

    def _release(self, what: str) -> None:
        with self._changed:
            self._busy[what] -= 1
            self._changed.notify_all()
