"""How much of what an agent says is passed on: it is shown, logged and kept on the primary.

An agent that is out of order, or whose host is somebody else's by now, could fill the primary's
disk and its operators' terminals. So only the events that an agent has to tell come through, each
of limited length and without control characters, up to a number of lines and of bytes for a
conversation; of what is more only the number is told. Progress is thinned to a pace that a person
can follow, because each time the row on record is written anew.
"""

import math
import time
from collections.abc import Callable

from pgpool_recovery.domain.event import Emit, Event, Moved, Progress, Said, fit
from pgpool_recovery.domain.record import replace

PROGRAMS = ("agent", "pg_basebackup", "pg_verifybackup", "pg_rewind", "pgbackrest")
"""In whose names an agent speaks: never as the primary or the runner, whose lines look alike."""
MAX_LINES = 10_000
MAX_BYTES = 1_000_000
"""Of the lines of one conversation, of which a recovery has two; tools say some kilobytes."""
PROGRESS_EVERY_S = 0.5
MAX_COUNT = 2**62
"""Of bytes: more than there are anywhere, and still a bigint on record."""


class Allowance:
    """Takes an agent's events, and passes on what there is room for."""

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
        """Take an event of the agent."""
        match event:
            case Progress():
                if self._is_time_for(event):
                    self._emit(event)
            case Moved(count):
                self._take(event, 0, is_sound=0 <= count <= MAX_COUNT)
            case Said():
                said = fit(event if event.program in PROGRAMS else replace(event, program="agent"))
                self._take(said, len(f"{said.program}{said.line}".encode()), is_sound=True)
            case _:
                self._take(event, 0, is_sound=False)  # The plan and its steps are the runner's.

    def end(self) -> None:
        """Tell how much was passed over."""
        if self._passed_over:
            self._say(f"{self._passed_over} events of the agent of {self._name} were not kept")
        self._passed_over = 0

    def _is_time_for(self, progress: Progress) -> bool:
        counts = (progress.done_bytes, progress.total_bytes, progress.bytes_per_s)
        if not all(0 <= count <= MAX_COUNT for count in counts):  # Nor is it NaN.
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
                f"the agent of {self._name} has said {self._lines} lines of {self._bytes} bytes; "
                "more are counted and not kept"
            )
        self._passed_over += 1

    def _say(self, line: str) -> None:
        self._emit(Said("runner", line))
