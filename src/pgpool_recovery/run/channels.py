"""Keep the channels of a delta busy, and end all of them as soon as anything goes wrong.

The source's files are read by agents on its host, each at one end of a channel; at the other end is
a receiver on the target. Each channel has a thread that asks its agent to send one batch of files
after the other. The first one also lists the files. The main thread tells the agent of the target
what to expect, hands out batches, and watches. When a thread fails, or the main thread is
interrupted, the others end within a second or two: an agent whose conversation ends closes its
channel, and a receiver whose channel is closed ends.
"""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from math import inf
from queue import Empty, SimpleQueue
from typing import TypeVar

from pgpool_recovery.domain.control_file import CONTROL_FILE
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.event import Emit, Event, Progress
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.record import record
from pgpool_recovery.facts.blocks import Hash, SentBlocks
from pgpool_recovery.host.meter import Meter
from pgpool_recovery.run.batches import Batch, batches_of
from pgpool_recovery.run.party import Deadlines
from pgpool_recovery.run.shield import shielded
from pgpool_recovery.talk.agent_process import signals_blocked
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.asks import Asks
from pgpool_recovery.talk.request.blocks import (
    CloseChannel,
    FilePage,
    ListFiles,
    OpenChannel,
    SendFiles,
)
from pgpool_recovery.talk.request.steps import Expect

T = TypeVar("T")
PAGE_FILES = 2000
TICK_S = 0.2
THREADS_END_WITHIN_S = 60.0


@record
class Wires:
    """How each channel is made, how many there are, and how much they may read together."""

    start_agent: Callable[[Emit], AbstractContextManager[Conversation]]
    opens: OpenChannel
    count: int
    max_bytes_per_s: int | None


@dataclass
class Totals:
    """What was done with all files."""

    read_bytes: int = 0
    sent_bytes: int = 0
    blocks: int = 0
    files_whole: int = 0
    vanished: list[str] = field(default_factory=list)
    hashes: set[Hash] = field(default_factory=set)

    def add(self, sent: SentBlocks) -> None:
        """Add what was done with some of them."""
        self.read_bytes += sent.read_bytes
        self.sent_bytes += sent.sent_bytes
        self.blocks += sent.blocks
        self.files_whole += sent.files_whole
        self.vanished += sent.vanished


class HasEnded:
    """A thread has ended as it should: its channel is closed."""


class StopError(Exception):
    """A thread was told to end."""


Outcome = Hash | FilePage | SentBlocks | HasEnded | Exception


class Channels:
    """All channels of one delta."""

    def __init__(
        self,
        wires: Wires,
        agent: Conversation,
        emit: Emit,
        deadlines: Deadlines,
        look: Callable[[], None],
    ) -> None:
        """`look` is called several times a second, and raises to end everything."""
        self._wires = wires
        self._agent = agent
        self._emit = emit
        self._deadlines = deadlines
        self._look = look
        self._outcomes = SimpleQueue[Outcome]()
        self._batches = SimpleQueue[Batch | None]()
        self._said = SimpleQueue[Event]()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(wires.count)
        ]
        self._reading = [0] * wires.count
        """How many bytes of its batch each thread has read."""
        self._got_on: list[float | None] = [time.monotonic()] * wires.count
        """When each thread got on for the last time; None while it waits for a batch."""
        self._totals = Totals()
        self._total_bytes = 0
        self._share = wires.max_bytes_per_s
        """How much each thread may read in a second."""
        self._meter = Meter(emit, is_comparison=True)

    def carry_out(self) -> Totals:
        """Make all files of the target like those of the source; return what was done."""
        with signals_blocked():
            for thread in self._threads:
                thread.start()
        try:
            batches = batches_of(self._list())
            self._total_bytes = sum(batch.size_bytes for batch in batches)
            if self._share is not None:
                self._share //= max(1, min(len(batches), len(self._threads)))
            self._send(batches)
            # Alone and last: a standby that is read replays WAL meanwhile, and no page may be newer
            # than the minimum recovery end in this file (src/backend/backup/basebackup.c).
            self._send([Batch((CONTROL_FILE,), 0)])
            self._finish()
        finally:
            self._stop.set()
            with shielded():
                self._end()
        return self._totals

    # What the main thread does.

    def _list(self) -> dict[str, int]:
        """Return the files of the source, which the agent of the target then expects."""
        found = dict[str, int]()
        has_more = True
        while has_more:
            page = self._next(FilePage)
            has_more = page.has_more
            self._expect(page.directories, tuple(page.files))
            found.update(page.files)
        found.pop(CONTROL_FILE, None)
        self._expect((), (CONTROL_FILE,))
        return found

    def _expect(self, directories: tuple[str, ...], files: tuple[str, ...]) -> None:
        self._agent.ask(Expect(directories, files), timeout_s=self._deadlines.answer_s)

    def _send(self, batches: list[Batch]) -> None:
        """Have all of these sent, and wait for that."""
        for batch in batches:
            self._batches.put(batch)
        for _ in batches:
            self._totals.add(self._next(SentBlocks))

    def _finish(self) -> None:
        for _ in self._threads:
            self._batches.put(None)
        for _ in self._threads:
            self._next(HasEnded)

    def _next(self, kind: type[T]) -> T:
        """Return the next outcome, which is of this kind; raise that of a thread that failed."""
        while True:  # no limit: `_see_progress` gives up if a thread does not get on
            try:
                outcome = self._outcomes.get(timeout=TICK_S)
            except Empty:
                outcome = None
            self._tell()
            self._look()
            self._see_progress()
            if isinstance(outcome, Exception):
                raise outcome
            if isinstance(outcome, Hash):
                self._totals.hashes.add(outcome)
                continue
            if isinstance(outcome, kind):
                return outcome
            if outcome is not None:
                raise AssertionError(outcome)

    def _tell(self) -> None:
        while not self._said.empty():
            self._emit(self._said.get_nowait())
        if self._total_bytes > 0:
            self._meter.tell(self._done_bytes(), self._total_bytes)

    def _done_bytes(self) -> int:
        return self._totals.read_bytes + sum(self._reading)

    def _see_progress(self) -> None:
        stall_s, now = self._deadlines.stall_s, time.monotonic()
        if any(at is not None and now - at > stall_s for at in self._got_on):
            raise Undone(
                f"the comparison has made no progress for {stall_s:g} s",
                detail=f"{pretty_size(self._done_bytes())} were compared.",
                hint="Check the network (its MTU, a firewall) and the disks of both hosts. "
                "stall_s in the settings sets how long to wait.",
            )

    def _end(self) -> None:
        for _ in self._threads:
            self._batches.put(None)
        deadline = time.monotonic() + THREADS_END_WITHIN_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    # What each thread does.

    def _run(self, number: int) -> None:
        try:
            self._work(number)
        except StopError:
            pass
        except Exception as error:  # noqa: BLE001 - the main thread raises it
            self._outcomes.put(error)
        else:
            self._outcomes.put(HasEnded())

    def _work(self, number: int) -> None:
        with self._wires.start_agent(lambda event: self._hear(number, event)) as agent:
            self._outcomes.put(self._ask(number, agent, self._wires.opens))
            if number == 0:
                self._list_by(agent)
            self._got_on[number] = None
            # no limit: the main thread puts None for each thread, whatever happens to it
            while (batch := self._batches.get()) is not None:
                self._outcomes.put(self._sent(number, agent, batch))
            self._check()
            self._ask(number, agent, CloseChannel())

    def _list_by(self, agent: Conversation) -> None:
        after: str | None = None
        has_more = True
        while has_more:  # no limit: each page begins after the end of the one before
            page = self._ask(0, agent, ListFiles(after, PAGE_FILES))
            names = [*page.directories, *page.files]
            last = max(names, key=lambda path: path.split("/"), default=None)
            has_more = page.has_more
            if has_more and (last is None or last == after):
                raise Undone("the list of the source's files makes no progress")
            after = last
            self._outcomes.put(page)

    def _sent(self, number: int, agent: Conversation, batch: Batch) -> SentBlocks:
        sent = self._ask(number, agent, SendFiles(batch.paths, self._share))
        self._reading[number] = 0
        self._got_on[number] = None
        return sent

    def _ask(self, number: int, agent: Conversation, request: Asks[T]) -> T:
        self._got_on[number] = time.monotonic()
        # no limit: the main thread gives up if there is no progress for stall_s
        return agent.ask(request, timeout_s=inf, on_tick=self._check)

    def _hear(self, number: int, event: Event) -> None:
        if isinstance(event, Progress):
            if event.done_bytes > self._reading[number]:
                self._reading[number] = event.done_bytes
                self._got_on[number] = time.monotonic()
        else:
            self._said.put(event)

    def _check(self) -> None:
        if self._stop.is_set():
            raise StopError
