"""Limit which events of an agent are passed on, to be shown, logged and kept on the primary.

A faulty agent, or one on a compromised host, could fill the primary's disk and the operators'
terminals. So only those events are passed on that an agent may send, each of limited length and
without control characters, up to a number of lines and bytes per conversation. Of the rest only
the number is reported. Progress is thinned out to a rate that a person can follow, since each
event rewrites the row of the run in the history.
"""

import math
import time
from collections.abc import Callable

from pgpool_recovery.domain.event import Emit, Event, GotOn, Moved, Progress, Said, fit
from pgpool_recovery.domain.record import replace

PROGRAMS = ("agent", "pg_receivewal", "pg_rewind", "pgbackrest", "command")
"""The programs that an agent may name as the source of a line. The primary and the runner are not
among them, since their lines look the same."""
MAX_LINES = 10_000
MAX_BYTES = 1_000_000
"""The limit for the lines of one conversation. A recovery has two of them, and the programs print
some kilobytes."""
PROGRESS_EVERY_S = 0.5
MAX_COUNT = 2**62
"""The limit for a number of bytes: more than any disk has, but still a bigint in the history."""


class Allowance:
    """Takes the events of one agent, and passes them on up to the limits."""

    def __init__(
        self, name: str, emit: Emit, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._emit = emit
        self._clock = clock
        self._lines = 0
        self._bytes = 0
        self._passed_over = 0
        self._told_progress_at = -math.inf

    def take(self, event: Event) -> None:
        """Pass an event on if it is allowed and within the limits; otherwise count it."""
        match event:
            case Progress():
                if self._is_time_for(event):
                    self._emit(event)
            case GotOn():
                pass  # That it arrived is all that it says (Conversation.ask).
            case Moved(count):
                self._take(event, 0, is_sound=0 <= count <= MAX_COUNT)
            case Said():
                said = fit(event if event.program in PROGRAMS else replace(event, program="agent"))
                self._take(said, len(f"{said.program}{said.line}".encode()), is_sound=True)
            case _:
                self._take(event, 0, is_sound=False)  # Only the runner reports plan and steps.

    def end(self) -> None:
        """Report how many events were not passed on."""
        if self._passed_over:
            self._say(f"{self._passed_over} events of the agent of {self._name} were not kept")
        self._passed_over = 0

    def _is_time_for(self, progress: Progress) -> bool:
        counts = (progress.done_bytes, progress.total_bytes, progress.bytes_per_s)
        if not all(0 <= count <= MAX_COUNT for count in counts):  # False for NaN, too.
            return False
        now = self._clock()
        if now - self._told_progress_at < PROGRESS_EVERY_S:
            return False
        self._told_progress_at = now
        return True

    def _take(self, event: Event, size_bytes: int, *, is_sound: bool) -> None:
        if is_sound and self._lines < MAX_LINES and self._bytes + size_bytes <= MAX_BYTES:
            self._lines += 1
            self._bytes += size_bytes
            self._emit(event)
            return
        if is_sound and not self._passed_over:
            self._say(
                f"the agent of {self._name} has sent {self._lines} lines of {self._bytes} bytes; "
                "further ones are counted but not kept"
            )
        self._passed_over += 1

    def _say(self, line: str) -> None:
        self._emit(Said("runner", line))
