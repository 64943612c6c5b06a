"""The log of this process, which is off unless its command turns it on.

It is process-wide, like standard error, where it ends up: as an argument, it would be one of nearly
every function. Nothing depends on it, and logging never makes anything fail.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

Write = Callable[[str], None]
P = ParamSpec("P")
R = TypeVar("R")

MAX_BYTES = 16 * 2**20
"""The limit for the log of one process: a few hundred kilobytes are usual, but long waits poll."""


class Log:
    """Writes lines, each with the time, the seconds since the process started, and its origin."""

    def __init__(self, write: Write, who: str, *, tells_time: bool, began: float) -> None:
        self._write = write
        self._who = who
        self._tells_time = tells_time
        self._began = began
        self._bytes = 0

    def take(self, what: str, values: tuple[object, ...]) -> None:
        """Write a line; `what` has a pair of braces for each value."""
        if self._bytes > MAX_BYTES:
            return
        from pgpool_recovery.log.short import short

        line = f"{self._stamp()} {self._who}: {what.format(*map(short, values))}"
        self._bytes += len(line.encode(errors="replace"))
        if self._bytes > MAX_BYTES:
            line = f"{self._stamp()} {self._who}: {MAX_BYTES} bytes have been logged; this is all"
        # The reader may be gone, but the process must go on.
        with suppress(OSError, ValueError):
            self._write(line)

    def _stamp(self) -> str:
        since = f"+{time.monotonic() - self._began:.3f}"
        return f"{utc(time.time())} {since}" if self._tells_time else since


_log: Log | None = None


def utc(seconds: float) -> str:
    """Return a time in the format of the log.

    >>> utc(1.0625)
    '1970-01-01 00:00:01.062 UTC'
    """
    whole = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d} UTC"


def turn_on(write: Write, who: str, *, tells_time: bool = True) -> None:
    """Turn the log on; `write` gets each line, and `who` is the origin that it names.

    Without `tells_time` a line has only the seconds since this process started. Its reader is on
    another host and stamps all lines with its own clock, so that they are in order.
    """
    global _log  # noqa: PLW0603 - see above
    from pgpool_recovery.log.process import age_s, description

    age = age_s()
    _log = Log(write, who, tells_time=tells_time, began=time.monotonic() - age)
    note(f"the log begins at {utc(time.time())}: {description()}")


def turn_off() -> None:
    """Turn the log off."""
    global _log  # noqa: PLW0603 - see above
    _log = None


def is_on() -> bool:
    """Return whether the log is on."""
    return _log is not None


def note(what: str, *values: object) -> None:
    """Log an event; `what` is our own text, with ``{}`` for each value, which is shortened."""
    if _log is not None:
        _log.take(what, values)


def note_parts(what: str, record: object) -> None:
    """Log each field of a dataclass on a line of its own, without those that have the default."""
    if _log is not None:
        from pgpool_recovery.log.short import parts_of

        for name, value in parts_of(record):
            note("{} {}: {}", what, name, value)


class Span:
    """An activity whose beginning and end are logged, with its duration and its result.

    `is_brief`: only the end is logged.
    """

    def __init__(self, what: str, values: tuple[object, ...], *, is_brief: bool) -> None:
        self._what = what
        self._values = values
        self._is_brief = is_brief
        self._began = 0.0
        self._result: tuple[object, ...] = ()

    def __enter__(self) -> Self:
        if not self._is_brief:
            note(self._what, *self._values)
        self._began = time.monotonic()
        return self

    def came_to(self, result: object) -> None:
        """Set the result that is logged at the end."""
        self._result = (result,)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        from pgpool_recovery.domain.error import Cancelled
        from pgpool_recovery.log.short import name_of

        # The line of the beginning has them in full.
        values = self._values if self._is_brief else tuple(map(name_of, self._values))
        result: tuple[object, ...] = ()
        if error is None:
            how, result = "ended", self._result
        elif isinstance(error, Cancelled):
            how = "was stopped"  # Perhaps by us: pg_receivewal ends in no other way.
        else:
            how, result = "failed", (error,)
        after = f"{how} after {time.monotonic() - self._began:.3f} s"
        note(f"{self._what} {after}{': {}' * len(result)}", *values, *result)


class _Off:
    """A span that is not logged."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def came_to(self, result: object) -> None:
        pass


_OFF = _Off()
AnySpan = Span | _Off


def span(what: str, *values: object, is_brief: bool = False) -> AnySpan:
    """Return a context whose beginning and end are logged; see `note` for the arguments."""
    return _OFF if _log is None else Span(what, values, is_brief=is_brief)


def waits(what: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that logs a function that waits: for what, how long, and its result."""

    def logged(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def waiting(*args: P.args, **kwargs: P.kwargs) -> R:
            with span("waits for {}", what) as waited:
                result = function(*args, **kwargs)
                waited.came_to(result)
                return result

        return waiting

    return logged
