"""The row of a run, from one event to the next."""

import json

from pgpool_recovery.domain.error import Cancelled, Refused
from pgpool_recovery.domain.event import (
    Moved,
    PlanMade,
    Progress,
    Said,
    StepFinished,
    StepStarted,
)
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.work import Work
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


def test_duration_of_the_longest_step_is_kept() -> None:
    planned = RunState().after(PlanMade("delta", (), Work(2, 1000, 50.0, 5.0)))
    assert planned.after(StepFinished(1, 3, 0.5)).columns()["work_s"] is None
    worked = planned.after(StepFinished(2, 3, 40.0)).after(StepFinished(3, 3, 2.0))
    columns = worked.columns()
    assert (columns["work_bytes"], columns["work_s"], columns["left_s"]) == (1000, 40.0, 3.0)
    again = worked.after(PlanMade("basebackup", (), Work(4, 2000)))
    columns = again.columns()
    assert (columns["work_bytes"], columns["work_s"], columns["left_s"]) == (2000, None, None)


def test_time_left_is_that_of_the_step_and_of_those_after_it() -> None:
    planned = RunState().after(PlanMade("basebackup", (), Work(2, 1000, 50.0, 5.0)))
    assert planned.seconds_left() == 55.0
    removing = planned.after(StepStarted("remove", 1, 3)).after(Progress(10, 100, 3.0))
    assert removing.seconds_left() == 30.0 + 55.0
    copying = removing.after(StepStarted("copy", 2, 3))
    assert copying.seconds_left() == 55.0
    assert copying.after(Progress(100, 800, 10.0)).seconds_left() == 70.0 + 5.0
    assert copying.after(Progress(100, 0, 10.0)).seconds_left() == 90.0 + 5.0
    assert copying.after(Progress(1100, 0, 10.0)).seconds_left() is None
    copied = copying.after(Progress(700, 800, 10.0)).after(StepFinished(2, 3, 60.0))
    assert copied.seconds_left() == 5.0
    copied = copied.after(StepStarted("check", 3, 3))
    assert copied.seconds_left() == 5.0
    assert copied.after(Progress(0, 100, 5.0)).seconds_left() == 20.0


def test_time_left_at_a_rate_near_zero_is_not_known() -> None:
    planned = RunState().after(PlanMade("basebackup", (), Work(1, 1000, 50.0, 5.0)))
    slow = planned.after(StepStarted("copy", 1, 3)).after(Progress(1, 10**9, 1e-9))
    assert slow.seconds_left() is None


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
