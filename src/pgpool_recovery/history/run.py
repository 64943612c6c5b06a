"""Derive the state of a run from its events; pure functions only."""

import json
import re
from dataclasses import asdict
from typing import Any

from pgpool_recovery.domain.error import Cancelled, RecoveryError
from pgpool_recovery.domain.event import Event, Moved, PlanMade, Progress, StepStarted, as_text
from pgpool_recovery.domain.record import record, replace
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.text import without_foreign_bytes

MAX_BIGINT = 2**63 - 1


@record
class RunState:
    """The columns of pgpool_recovery_run that change during a run."""

    method: str | None = None
    plan: tuple[str, ...] | None = None
    step: int | None = None
    steps: int | None = None
    sentence: str | None = None
    done_bytes: int | None = None
    total_bytes: int | None = None
    bytes_per_s: float | None = None
    moved_bytes: int | None = None

    def after(self, event: Event) -> "RunState":
        """Return the state after an event."""
        match event:
            case PlanMade(method, sentences):
                return RunState(method, sentences, moved_bytes=self.moved_bytes)
            case StepStarted(sentence, number, count):
                return self.beginning(sentence, number, count)
            case Progress(done, total, rate):
                return replace(self, done_bytes=done, total_bytes=total or None, bytes_per_s=rate)
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
        )

    def columns(self) -> dict[str, Any]:
        """Return the values of the columns."""
        return {**asdict(self), "plan": None if self.plan is None else list(self.plan)}


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
