"""Derive the state of a run from its events; pure functions only."""

import json
import re
from dataclasses import asdict
from typing import Any

from pgpool_recovery.domain.error import Cancelled, RecoveryError
from pgpool_recovery.domain.event import (
    Event,
    Moved,
    PlanMade,
    Progress,
    StepFinished,
    StepStarted,
    as_text,
)
from pgpool_recovery.domain.record import record, replace
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.text import without_foreign_bytes
from pgpool_recovery.domain.work import Work

MAX_BIGINT = 2**63 - 1
MAX_LEFT_S = 366 * 86400.0
"""A time left that is longer is that of a rate near zero, and says nothing."""


COLUMNS = (
    "method",
    "step",
    "steps",
    "sentence",
    "done_bytes",
    "total_bytes",
    "bytes_per_s",
    "moved_bytes",
)


@record
class RunState:
    """What is known about a run while it goes on, most of it columns of pgpool_recovery_run.

    `work` is the longest step of the plan, `work_s` how long it took, once it has succeeded, and
    `later_s` how long the steps after it have taken. `is_between`: the current step has succeeded.
    """

    method: str | None = None
    plan: tuple[str, ...] | None = None
    step: int | None = None
    steps: int | None = None
    sentence: str | None = None
    done_bytes: int | None = None
    total_bytes: int | None = None
    bytes_per_s: float | None = None
    moved_bytes: int | None = None
    work: Work | None = None
    work_s: float | None = None
    later_s: float = 0.0
    is_between: bool = False

    def after(self, event: Event) -> "RunState":
        """Return the state after an event."""
        match event:
            case PlanMade(method, sentences, work):
                return RunState(method, sentences, moved_bytes=self.moved_bytes, work=work)
            case StepStarted(sentence, number, count):
                return self.beginning(sentence, number, count)
            case Progress(done, total, rate):
                return replace(self, done_bytes=done, total_bytes=total or None, bytes_per_s=rate)
            case StepFinished(number, _, seconds) if self.work is not None:
                return self._finishing(seconds, is_work=number == self.work.step)
            case Moved(moved):
                return replace(self, moved_bytes=min(MAX_BIGINT, moved + (self.moved_bytes or 0)))
            case _:
                return self

    def beginning(
        self, sentence: str, number: int | None = None, count: int | None = None
    ) -> "RunState":
        """Return the state at the beginning of a step, or of what follows all steps."""
        return replace(
            self,
            step=number,
            steps=count,
            sentence=sentence,
            done_bytes=None,
            total_bytes=None,
            bytes_per_s=None,
            is_between=False,
        )

    def _finishing(self, seconds: float, *, is_work: bool) -> "RunState":
        """Return the state at the end of a step."""
        if is_work:
            return replace(self, is_between=True, work_s=seconds)
        later_s = 0.0 if self.work_s is None else self.later_s + seconds
        return replace(self, is_between=True, later_s=later_s)

    def seconds_left(self) -> float | None:
        """Return how long the run will still take, to its end; None if that cannot be known.

        The current step takes what its own rate says, those that have not begun what the plan
        expected of them.
        """
        work = self.work
        if work is None or work.expected_s is None or work.after_s is None:
            return None
        own_s = self._seconds_of_step()
        if self.work_s is not None:
            left_s = max(own_s or 0.0, work.after_s - self.later_s)
        elif self.step != work.step:
            left_s = (own_s or 0.0) + work.expected_s + work.after_s
        elif own_s is not None:
            left_s = own_s + work.after_s
        elif self.done_bytes is None:
            left_s = work.expected_s + work.after_s
        else:
            return None
        return left_s if left_s <= MAX_LEFT_S else None

    def _seconds_of_step(self) -> float | None:
        """Return how long the current step will still take at its own rate; None without any.

        Of the longest step, the plan says how much it works through if the step itself does not,
        until it turns out to be more.
        """
        done, total, rate = self.done_bytes, self.total_bytes, self.bytes_per_s
        if total is None and self.work is not None and self.step == self.work.step:
            estimate = self.work.size_bytes
            total = estimate if done is not None and done < estimate else None
        if self.is_between or done is None or total is None or not rate or rate < 0:
            return None
        return max(0, total - done) / rate

    def columns(self) -> dict[str, Any]:
        """Return the values of the columns, and `left_s`, from which another one follows."""
        return {
            **{name: getattr(self, name) for name in COLUMNS},
            "plan": None if self.plan is None else list(self.plan),
            "work_bytes": None if self.work is None else self.work.size_bytes,
            "work_s": self.work_s,
            "left_s": self.seconds_left(),
        }


def kind_of(event: Event) -> str:
    """Return the name of an event's kind.

    >>> kind_of(Moved(1))
    'moved'
    >>> kind_of(StepStarted("reserve", 1, 6))
    'step_started'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()


def event_row(event: Event, *, only_ascii: bool = False) -> dict[str, str]:
    """Return an event as columns of pgpool_recovery_event, with texts as by `storable`."""
    return {
        "kind": kind_of(event),
        "line": storable("\n".join(as_text(event)), only_ascii=only_ascii),
        "data": json.dumps(storable(asdict(event), only_ascii=only_ascii)),
    }


def storable(value: Any, *, only_ascii: bool) -> Any:
    """Return a value with all its texts escaped as far as the database requires.

    Programs write any text, file names are any bytes, and a database that is not in UTF8 may lack a
    character. None of that may make the record fail.

    >>> storable({"line": "café"}, only_ascii=True) == {"line": r"caf\\xe9"}
    True
    """
    match value:
        case str():
            encoding = "ascii" if only_ascii else "utf-8"
            text = without_foreign_bytes(value).replace("\0", r"\x00")
            return text.encode(encoding, "backslashreplace").decode()
        case list() | tuple():
            return [storable(one, only_ascii=only_ascii) for one in value]
        case dict():
            return {key: storable(one, only_ascii=only_ascii) for key, one in value.items()}
        case _:
            return value


def end_columns(
    error: RecoveryError | None, *, done: str, left: TargetState | None = None
) -> dict[str, Any]:
    """Return the columns for the end of a run, or of one of its stages.

    `done` is the state of the run if nothing failed, `left` the state of the target for the stage
    that follows.
    """
    if error is None:
        parts = dict.fromkeys(("message", "detail", "hint"))
        target_state = None if left is None else str(left)
        return {"state": done, **parts, "target_state": target_state, "exit_status": 0}
    return {
        "state": "cancelled" if isinstance(error, Cancelled) else "failed",
        "message": error.message,
        "detail": error.detail,
        "hint": error.hint,
        "target_state": str(error.target),
        "exit_status": error.exit_status,
    }
