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
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

FAILED = "failed"
TELL_PROGRESS_EVERY_S = 10.0
WITH_CLOCK, WITH_BAR = 90, 100
"""Minimum columns of a terminal for the elapsed time and for the bar.

On a narrower one the bytes, the rate and the time left need the space.
"""


class Screen(Protocol):
    """Takes events; `running` are the recoveries that have started and not ended."""

    running: list[Asked]
    ended: list[Outcome]

    def tell(self, event: OperatorEvent) -> None:
        """Take an event."""

    def __enter__(self) -> Self:
        """Start showing."""

    def __exit__(self, *_: object) -> None:
        """Stop showing."""


class Quiet:
    """Shows nothing: the command prints a document at its end."""

    def __init__(self) -> None:
        self.running: list[Asked] = []
        self.ended: list[Outcome] = []

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""

    def tell(self, event: OperatorEvent) -> None:
        """Take an event."""
        if isinstance(event, Asked):
            self._end(event.node_id)  # It may be asked again after it needed more.
            self.running.append(event)
        self._show(event)
        if isinstance(event, Outcome):
            self._end(event.node_id)
            self.ended.append(event)

    def _end(self, node_id: NodeId | None) -> None:
        self.running = [one for one in self.running if one.node_id != node_id]

    def is_running(self, node_id: NodeId | None) -> bool:
        """Return whether the recovery of a node has started and not ended."""
        return any(one.node_id == node_id for one in self.running)

    def _show(self, event: OperatorEvent) -> None:
        """Show an event."""


class EventLines(Quiet):
    """Shows each event as a JSON document on one line."""

    def _show(self, event: OperatorEvent) -> None:
        say_json(event_line(event))


class PlainLines(Quiet):
    """Shows a line for each event; Pgpool-II's own messages only if there is no record.

    With `are_several`, each line says which node it is about.
    """

    def __init__(
        self, say: Callable[[str], None], *, clock: Callable[[], float], are_several: bool = False
    ) -> None:
        super().__init__()
        self._say = say
        self._clock = clock
        self._are_several = are_several
        self._began_at = clock()
        self._told_at: dict[NodeId | None, float] = {}
        self._plans: dict[NodeId | None, tuple[str, ...]] = {}
        self._recorded: set[NodeId | None] = set()

    def _show(self, event: OperatorEvent) -> None:
        node_id = _node_of(event)
        match event:
            case PlanRead(plan=plan):
                self._plans[node_id] = plan.document.sentences
            case Asked(is_on_record=is_on_record):
                (self._recorded.add if is_on_record else self._recorded.discard)(node_id)
            case Happened(event=recorded) if _is_told_elsewhere(
                recorded, self._plans.get(node_id, ())
            ):
                return
            case NodeSaid() if node_id in self._recorded:
                return
            case StepMoved():
                told_at = self._told_at.get(node_id, self._began_at)
                if self._clock() - told_at < TELL_PROGRESS_EVERY_S:
                    return
                self._told_at[node_id] = self._clock()
        if isinstance(event, Outcome) and event.failure is not None:
            show_failure(event.failure, with_target=self.is_running(node_id))
            return
        for line in lines_of(event):
            self._say(self._named(line, node_id))

    def _named(self, line: str, node_id: NodeId | None) -> str:
        """Return a line that begins with the node, as many do anyway."""
        name = f"node {node_id}"
        is_clear = (
            not self._are_several or node_id is None or line.startswith((f"{name}:", f"{name} "))
        )
        return line if is_clear else f"{name}: {line}"


class LiveTerminal(PlainLines):
    """Shows the same lines, and below them a live progress bar of each node's current step."""

    def __init__(self, console: "Console", *, are_several: bool = False) -> None:
        super().__init__(self._print, clock=time.monotonic, are_several=are_several)
        self._console = console
        self._bars: Bars | None = None
        self._tasks: dict[NodeId | None, TaskID] = {}

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""
        self._stop()

    def _show(self, event: OperatorEvent) -> None:
        if isinstance(event, StepMoved):
            self._move(event)
            return
        if isinstance(event, PlanRead):  # A question may follow.
            self._stop()
        elif isinstance(event, Outcome):
            self._take_away(event.node_id)
        super()._show(event)

    def _print(self, line: str) -> None:
        self._console.print(one_line(line), markup=False, highlight=False, soft_wrap=True)

    def _move(self, event: StepMoved) -> None:
        running = event.progress
        bars = self._bars or self._start()
        node_id = _node_of(event)
        if node_id not in self._tasks:
            self._tasks[node_id] = bars.add_task("", total=None, how_far="", since="")
        total = running.total_bytes or None
        step = f"step {running.step} of {running.steps}: " if running.step else ""
        how_far = moved_text(event).partition(": ")[2] or moved_text(event)
        bars.update(
            self._tasks[node_id],
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
        self._bars.start()
        return self._bars

    def _take_away(self, node_id: NodeId | None) -> None:
        """Remove the bar of a node, and stop when it was the last one."""
        if self._tasks.keys() <= {node_id}:
            self._stop()
        elif self._bars is not None and node_id in self._tasks:
            self._bars.remove_task(self._tasks.pop(node_id))

    def _stop(self) -> None:
        self._tasks.clear()
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


def screen_of(*, as_json: bool, as_events: bool, are_several: bool = False) -> Screen:
    """Return the screen for these options and for the kind of output.

    `are_several`: several nodes are recovered at the same time.
    """
    if as_events:
        return EventLines()
    if as_json:
        return Quiet()
    if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        from rich.console import Console

        return LiveTerminal(Console(), are_several=are_several)
    return PlainLines(say, clock=time.monotonic, are_several=are_several)


def _node_of(event: OperatorEvent) -> NodeId | None:
    """Return the node that an event is about."""
    if isinstance(event, StepMoved):
        found = event.progress.node_id
        return None if found is None else NodeId(found)
    return event.node_id


def _is_told_elsewhere(recorded: RecordedEvent, plan: tuple[str, ...]) -> bool:
    """Return whether a recorded event was, or will be, shown in another way.

    That is the plan, if it equals the one shown apart from sizes and times, which may have grown
    since; and a failure, which the outcome shows with its hint.
    """
    if recorded.kind == PLAN_MADE:
        return _without_sizes(recorded.line) == _without_sizes("\n".join(plan))
    return recorded.kind == FAILED


def _without_sizes(text: str) -> str:
    return re.sub(r"\d+ (bytes|kB|MB|GB|TB|s|min|h)\b", "SIZE", text)
