"""The closed set of events of a run, and their text for terminal, server log and NOTICE."""

from collections.abc import Callable
from typing import Any, TypeVar

from pgpool_recovery.domain.quantity import pretty_duration, pretty_rate, pretty_size
from pgpool_recovery.domain.record import names_of, record, replace
from pgpool_recovery.domain.text import first_of, one_line
from pgpool_recovery.domain.work import Work


@record
class PlanMade:
    """The plan that the run follows: its method, and the sentences that an operator reads.

    `work` is its longest step, if it is known how much that works through.
    """

    method: str
    sentences: tuple[str, ...]
    work: Work | None = None


@record
class StepStarted:
    """A step begins; `sentence` says what it does, and it is number `number` of `count`."""

    sentence: str
    number: int
    count: int


@record
class Progress:
    """How far a step is, in bytes that it copies, removes or checks.

    `total_bytes` is an estimate, or 0 if there is none. `is_comparison`: the bytes are compared.
    """

    done_bytes: int
    total_bytes: int
    bytes_per_s: float
    is_comparison: bool = False


@record
class GotOn:
    """A request to an agent takes long, but has made progress; nobody is told."""


@record
class Moved:
    """How many bytes a step has moved, as far as that is known."""

    moved_bytes: int


@record
class Said:
    """A line of a program's output."""

    program: str
    line: str


@record
class StepFinished:
    """A step succeeded."""

    number: int
    count: int
    seconds: float


@record
class Undoing:
    """What a failed or cancelled run undoes."""

    sentence: str


@record
class Finished:
    """The run succeeded."""

    sentence: str
    seconds: float


Event = PlanMade | StepStarted | Progress | GotOn | Moved | Said | StepFinished | Undoing | Finished
E = TypeVar("E", bound=Event)
Emit = Callable[[Event], None]
"""Delivers an event to its reader."""
Say = Callable[[str], None]
"""Delivers a line to a person."""


TOLD_SECONDS = 0.1
"""The duration of a step that took less is not reported."""


MAX_SENTENCES = 200
"""A plan has a few more sentences than methods, and one for some of the tablespaces."""


def pay_no_heed(_event: Event) -> None:
    """Ignore an event: the `Emit` of a caller that wants none."""


def saying(say: Say) -> Emit:
    """Return an `Emit` that says the lines of each event."""

    def emit(event: Event) -> None:
        for line in as_text(event):
            say(line)

    return emit


def as_text(event: Event) -> list[str]:
    """Return the lines that describe an event to a person, free of line breaks.

    >>> as_text(Progress(512 * 2**20, 2**30, 64 * 2**20))
    ['512 MB of 1024 MB (50 %), 64 MB/s, 8.0 s left']
    >>> as_text(Progress(2**20, 2**21, 2**20, is_comparison=True))
    ['1024 kB of 2048 kB compared (50 %), 1024 kB/s, 1.0 s left']
    """
    return [one_line(line) for line in _lines(event)]


def fit(event: E) -> E:
    r"""Return an event that can be recorded and shown: each text is one line of limited length.

    >>> fit(Said("agent", "one\n\x1e{}"))
    Said(program='agent', line='one\\n\\x1e{}')
    """
    return replace(event, **{name: _fit(getattr(event, name)) for name in names_of(event)})


def _fit(value: Any) -> Any:
    match value:
        case str():
            return one_line(value)
        case tuple():
            return first_of(map(one_line, value), limit=MAX_SENTENCES)
        case _:
            return value


def _lines(event: Event) -> list[str]:
    match event:
        case PlanMade(sentences=sentences):
            return list(sentences)
        case StepStarted(sentence, number, count):
            return [f"step {number} of {count}: {sentence}"]
        case StepFinished(number, count, seconds):
            return [f"step {number} of {count} took {pretty_duration(seconds)}"] * (
                seconds >= TOLD_SECONDS
            )
        case Progress():
            return [_progress_text(event)]
        case Moved() | GotOn():
            return []
        case Said(program, line):
            return [f"{program}: {line}"]
        case Undoing(sentence):
            return [sentence]
        case Finished(sentence, seconds):
            return [f"{sentence} ({pretty_duration(seconds)})"]


def _progress_text(progress: Progress) -> str:
    if progress.total_bytes == 0:
        return f"{pretty_size(progress.done_bytes)}, {pretty_rate(progress.bytes_per_s)}"
    text = f"{pretty_size(progress.done_bytes)} of {pretty_size(progress.total_bytes)}"
    text += " compared" if progress.is_comparison else ""
    if progress.total_bytes > 0:
        text += f" ({min(100, 100 * progress.done_bytes // progress.total_bytes)} %)"
    if progress.bytes_per_s > 0:
        left = max(0, progress.total_bytes - progress.done_bytes) / progress.bytes_per_s
        text += f", {pretty_rate(progress.bytes_per_s)}, {pretty_duration(left)} left"
    return text
