"""Read the file of a case; anything that is not exactly right is an error."""

import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache, partial
from operator import eq
from pathlib import Path
from typing import Any, Literal

from cattrs import Converter, transform_error
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError

from pgpool_recovery.domain.wal import Lsn, Point, TimelineId, parse_lsn
from pgpool_recovery.facts.policy import Method
from tests.unit.plan.words import (
    IN_RECOVERY,
    Expected,
    ExpectedPlan,
    ExpectedRefusal,
    Left,
    Size,
    Words,
)

UNITS = {"bytes": 1, "kB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
SIZE = re.compile(rf"(\d+) ({'|'.join(UNITS)})")
POINT = re.compile(r"(\S+) on timeline (\d+)")


def read_words(file: Path) -> Words:
    """Return what a file says; raises ValueError with everything that is wrong with it."""
    try:
        words = _converter().structure(tomllib.loads(file.read_text()), Words)
        complaints = list(contradictions(words))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{file} is not TOML: {error}") from error
    except ClassValidationError as error:
        complaints = transform_error(error, path=file.stem, format_exception=_complaint)
    if complaints:
        raise ValueError("\n".join([f"{file}:", *complaints]))
    return words


def parse_size(text: str) -> Size:
    """Read a number of bytes.

    >>> parse_size("10 GB")
    10737418240
    """
    match = SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a size such as "10 GB"')
    return Size(int(match[1]) * UNITS[match[2]])


def parse_point(text: str) -> Point:
    """Read a position on a timeline, as it is written in messages.

    >>> str(parse_point("0/5000028 on timeline 2"))
    '0/5000028 on timeline 2'
    """
    match = POINT.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a position such as "0/5000028 on timeline 2"')
    return Point(TimelineId(int(match[2])), parse_lsn(match[1]))


@cache
def _converter() -> Converter:
    made = Converter(forbid_extra_keys=True)
    for plain in (bool, int, str):
        made.register_structure_hook(plain, _as_it_is)
    for optional in (str | None, int | None):
        made.register_structure_hook_func(partial(eq, optional), _as_it_is)
    made.register_structure_hook(Method, lambda value, _: Method(value))
    for kind, read in ((Size, parse_size), (Lsn, parse_lsn), (Point, parse_point)):
        for wanted in (kind, kind | None):
            made.register_structure_hook_func(partial(eq, wanted), partial(_of_text, read))
    made.register_structure_hook_func(partial(eq, TimelineId), _timeline)
    label = Point | Literal["unreadable"] | None
    made.register_structure_hook_func(partial(eq, label), partial(_of_text, _label))
    made.register_structure_hook_func(
        partial(eq, Expected),
        lambda value, _: made.structure(
            value, ExpectedRefusal if "refused" in value else ExpectedPlan
        ),
    )
    return made


def _as_it_is(value: Any, kind: Any) -> Any:
    """Return a value that already has its type: nothing is guessed."""
    if isinstance(value, bool) is not (kind is bool) or not isinstance(value, kind):
        raise ValueError(f"{value!r} is not of type {getattr(kind, '__name__', kind)}")
    return value


def _of_text(read: Callable[[str], Any], value: Any, _kind: Any) -> Any:
    return read(_as_it_is(value, str))


def _label(text: str) -> Point | str:
    return text if text == "unreadable" else parse_point(text)


def _timeline(value: Any, _kind: Any) -> TimelineId:
    if _as_it_is(value, int) < 1:
        raise ValueError("the first timeline is 1")
    return TimelineId(value)


def _complaint(error: BaseException, _kind: Any) -> str:
    if isinstance(error, ForbiddenExtraKeysError):
        return f"unknown: {', '.join(sorted(error.extra_fields))}"
    if isinstance(error, KeyError):
        return f"missing: {error.args[0]}"
    return str(error)


def contradictions(words: Words) -> Iterator[str]:
    """Report what is impossible, so that a typing error does not test something else."""
    primary, target, control = words.primary, words.target, words.target.control
    yield from _odd_history(primary.history, primary.timeline, "the primary")
    if any(left.left_at > primary.written for left in primary.history):
        yield "the primary has written less than its history says"
    for name, lsn in (("oldest_wal", primary.oldest_wal), ("missing_wal", target.missing_wal)):
        if lsn is not None and lsn % primary.segment_size:
            yield f"{name} is where a WAL segment begins"
    end = control.end
    if end is not None and control.state not in IN_RECOVERY:
        yield f'there is no minimum recovery end in the state "{control.state}"'
    if end is not None and (end.lsn < control.redo or end.timeline < control.timeline):
        yield "the minimum recovery end lies before REDO"
    yield from _odd_history(target.history, control.newest, "the target")
    if target.resumable is not None and target.changing is None:
        yield "a directory that is resumable is being changed"
    if target.server is not None and target.process is None:
        yield "a server that does not run says nothing"
    for histories in () if target.server is None else target.server.histories:
        yield from _odd_history(histories.history, histories.timeline, "a history file")
    if target.process is not None and target.changing is not None:
        yield "no server runs in a directory that is half changed"


def _odd_history(history: tuple[Left, ...], current: TimelineId, whose: str) -> Iterator[str]:
    timelines = [*(left.timeline for left in history), current]
    ends = [left.left_at for left in history]
    if timelines != sorted(set(timelines)) or ends != sorted(ends):
        yield f"the history of {whose} goes backwards"
