"""The row of a run, from one event to the next."""

import json

from pgpool_recovery.domain.error import Cancelled, Refused
from pgpool_recovery.domain.event import Moved, PlanMade, Progress, Said, StepStarted
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.history.run import RunState, end_columns, event_row, storable

PLANNED = RunState().after(PlanMade("rewind", ("plan: rewind", "not attach: it is down")))


def test_plan_and_steps() -> None:
    assert (PLANNED.method, PLANNED.plan) == ("rewind", ("plan: rewind", "not attach: it is down"))
    stepping = PLANNED.after(StepStarted("rewind it", 4, 6)).after(Progress(5, 10, 2.5))
    assert (stepping.step, stepping.steps, stepping.sentence) == (4, 6, "rewind it")
    assert (stepping.done_bytes, stepping.total_bytes, stepping.bytes_per_s) == (5, 10, 2.5)


def test_progress_is_that_of_the_step() -> None:
    stepping = PLANNED.after(Progress(5, 10, 2.5)).after(StepStarted("configure", 5, 6))
    assert (stepping.done_bytes, stepping.total_bytes, stepping.bytes_per_s) == (None, None, None)


def test_unknown_total_is_none() -> None:
    assert PLANNED.after(Progress(5, 0, 1.0)).total_bytes is None


def test_moved_bytes_add_up_over_a_failed_method_and_the_next() -> None:
    failed = PLANNED.after(Moved(5))
    assert failed.after(PlanMade("basebackup", ("plan: basebackup",))).after(Moved(7)) == RunState(
        "basebackup", ("plan: basebackup",), moved_bytes=12
    )


def test_moved_bytes_are_unknown_rather_than_zero() -> None:
    assert PLANNED.after(Said("agent", "a line")).moved_bytes is None


def test_event_as_a_row() -> None:
    row = event_row(StepStarted("reserve /data", 1, 6))
    assert (row["kind"], row["line"]) == ("step_started", "step 1 of 6: reserve /data")
    assert json.loads(row["data"]) == {"sentence": "reserve /data", "number": 1, "count": 6}


def test_texts_that_a_database_cannot_hold_are_escaped() -> None:
    name = "caf\u00e9 caf\udce9 \0"  # A file name that is not UTF-8 comes with a surrogate.
    row = event_row(Said("tar", name))
    assert row["line"] == "tar: caf\u00e9 caf\\xe9 \\x00"
    assert json.loads(row["data"])["line"] == "caf\u00e9 caf\\xe9 \\x00"
    plain = event_row(Said("tar", name), only_ascii=True)
    assert plain["line"] == "tar: caf\\xe9 caf\\xe9 \\x00"


def test_other_values_are_stored_as_they_are() -> None:
    values = {"plan": ("a", "b"), "step": 1, "rate": 2.5, "method": None}
    assert storable(values, only_ascii=True) == {**values, "plan": ["a", "b"]}


def test_ends() -> None:
    copied = end_columns(None, done="copied")
    assert (copied["state"], copied["target_state"]) == ("copied", None)
    started = end_columns(None, done="copied", left=TargetState.STARTED)
    assert (started["state"], started["target_state"]) == ("copied", "started")
    failed = end_columns(Refused("no", detail="d", hint="h"), done="copied")
    assert failed == {
        "state": "failed",
        "message": "no",
        "detail": "d",
        "hint": "h",
        "target_state": "untouched",
        "exit_status": 4,
    }
    cancelled = end_columns(Cancelled("cancelled", target=TargetState.RESTORED), done="copied")
    assert (cancelled["state"], cancelled["target_state"]) == ("cancelled", "restored")
