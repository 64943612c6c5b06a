"""Show events: on a terminal, as plain lines, as lines of JSON, or not at all."""

import os
import re
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, Self

from pgpool_recovery.cli.output import show_failure
from pgpool_recovery.cli.render.event_document import event_line
from pgpool_recovery.cli.render.lines import PLAN_MADE, lines_of, moved_text
from pgpool_recovery.cli.render.quantity import duration
from pgpool_recovery.cli.say import say, say_json
from pgpool_recovery.control.event import (
    Asked,
    Happened,
    NodeSaid,
    OperatorEvent,
    Outcome,
    PlanRead,
    StepMoved,
)
from pgpool_recovery.control.record import RecordedEvent
from pgpool_recovery.domain.text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars

FAILED = "failed"
TELL_PROGRESS_EVERY_S = 10.0
WITH_CLOCK, WITH_BAR = 70, 90
"""Minimum columns of a terminal for the elapsed time and for the bar.

On a narrower one the bytes, the rate and the time left need the space.
"""


class Screen(Protocol):
    """Takes events; `running` is the recovery that has started but not ended."""

    running: Asked | None

    def tell(self, event: OperatorEvent) -> None:
        """Take an event."""

    def __enter__(self) -> Self:
        """Start showing."""

    def __exit__(self, *_: object) -> None:
        """Stop showing."""


class Quiet:
    """Shows nothing: the command prints a document at its end."""

    def __init__(self) -> None:
        self.running: Asked | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""

    def tell(self, event: OperatorEvent) -> None:
        """Take an event."""
        if isinstance(event, Asked):
            self.running = event
        self._show(event)
        if isinstance(event, Outcome):
            self.running = None

    def _show(self, event: OperatorEvent) -> None:
        """Show an event."""


class EventLines(Quiet):
    """Shows each event as a JSON document on one line."""

    def _show(self, event: OperatorEvent) -> None:
        say_json(event_line(event))


class PlainLines(Quiet):
    """Shows a line for each event; Pgpool-II's own messages only if there is no record."""

    def __init__(self, say: Callable[[str], None], *, clock: Callable[[], float]) -> None:
        super().__init__()
        self._say = say
        self._clock = clock
        self._told_at = clock()
        self._plan: tuple[str, ...] = ()
        self._has_record = False

    def _show(self, event: OperatorEvent) -> None:
        match event:
            case PlanRead(plan=plan):
                self._plan = plan.document.sentences
            case Asked(is_on_record=is_on_record):
                self._has_record = is_on_record
            case Happened(event=recorded) if _is_told_elsewhere(recorded, self._plan):
                return
            case NodeSaid() if self._has_record:
                return
            case StepMoved():
                if self._clock() - self._told_at < TELL_PROGRESS_EVERY_S:
                    return
                self._told_at = self._clock()
        if isinstance(event, Outcome) and event.failure is not None:
            show_failure(event.failure, with_target=self.running is not None)
            return
        for line in lines_of(event):
            self._say(line)


class LiveTerminal(PlainLines):
    """Shows the same lines, and below them a live progress bar of the current step."""

    def __init__(self, console: "Console") -> None:
        super().__init__(self._print, clock=time.monotonic)
        self._console = console
        self._bars: Bars | None = None

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""
        self._stop()

    def _show(self, event: OperatorEvent) -> None:
        if isinstance(event, StepMoved):
            self._move(event)
            return
        if isinstance(event, Outcome | PlanRead):  # After a plan a question may follow.
            self._stop()
        super()._show(event)

    def _print(self, line: str) -> None:
        self._console.print(one_line(line), markup=False, highlight=False, soft_wrap=True)

    def _move(self, event: StepMoved) -> None:
        running = event.progress
        bars = self._bars or self._start()
        total = running.total_bytes or None
        step = f"step {running.step} of {running.steps}: " if running.step else ""
        how_far = moved_text(event).partition(": ")[2] or moved_text(event)
        bars.update(
            bars.task_ids[0],
            description=one_line(f"{running.name}: {step}{running.sentence or running.state}"),
            total=total,
            completed=running.done_bytes or 0,
            how_far=how_far,
            since="" if running.elapsed_s is None else duration(running.elapsed_s),
        )

    def _start(self) -> "Bars":
        from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn
        from rich.table import Column

        # If the line is too long, the sentence is truncated, never the numbers.
        sentence = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        columns: list[ProgressColumn] = [
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=sentence),
        ]
        width = self._console.width
        if width >= WITH_BAR:
            columns.append(BarColumn(bar_width=10))
        for name in ("how_far", "since") if width >= WITH_CLOCK else ("how_far",):
            number = Column(no_wrap=True, overflow="ignore")
            field = f"{{task.fields[{name}]}}"
            columns.append(TextColumn(field, markup=False, table_column=number))
        self._bars = Progress(*columns, console=self._console, transient=True, expand=True)
        self._bars.add_task("", total=None, how_far="", since="")
        self._bars.start()
        return self._bars

    def _stop(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


def screen_of(*, as_json: bool, as_events: bool) -> Screen:
    """Return the screen for these options and for the kind of output."""
    if as_events:
        return EventLines()
    if as_json:
        return Quiet()
    if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        from rich.console import Console

        return LiveTerminal(Console())
    return PlainLines(say, clock=time.monotonic)


def _is_told_elsewhere(recorded: RecordedEvent, plan: tuple[str, ...]) -> bool:
    """Return whether a recorded event was, or will be, shown in another way.

    That is the plan, if it equals the one shown apart from sizes, which may have grown since; and a
    failure, which the outcome shows with its hint.
    """
    if recorded.kind == PLAN_MADE:
        return _without_sizes(recorded.line) == _without_sizes("\n".join(plan))
    return recorded.kind == FAILED


def _without_sizes(text: str) -> str:
    return re.sub(r"\d+ (bytes|kB|MB|GB|TB)", "SIZE", text)
