"""Failures cross borders as records, and exit statuses keep their meaning."""

import json

import pytest

from pgpool_recovery.domain import error as errors
from pgpool_recovery.domain.target_state import TargetState

DOCUMENTED: dict[
    type[errors.RecoveryError], int
] = {  # The table of docs/reference/exit-statuses.md.
    errors.RecoveryError: 1,
    errors.Bug: 1,
    errors.UsageError: 2,
    errors.SettingsError: 3,
    errors.Refused: 4,
    errors.Unreachable: 5,
    errors.Busy: 6,
    errors.Undone: 7,
    errors.Incomplete: 8,
    errors.Unverified: 9,
    errors.Cancelled: 10,
}


def test_exit_statuses_are_stable() -> None:
    kinds: list[type[errors.RecoveryError]] = [errors.RecoveryError]
    kinds += errors.RecoveryError.__subclasses__()
    assert {kind: kind.exit_status for kind in kinds} == DOCUMENTED


@pytest.mark.parametrize("kind", DOCUMENTED)
def test_record_round_trip(kind: type[errors.RecoveryError]) -> None:
    error = kind("message", detail="detail", hint=None, target=TargetState.INCOMPLETE)
    again = errors.error_of_record(json.loads(json.dumps(error.as_record())))
    assert type(again) is kind
    assert again.as_record() == error.as_record()


def test_record_of_a_newer_version_is_still_a_failure() -> None:
    record = errors.Busy("busy").as_record() | {"error": "SomethingNew"}
    assert errors.error_of_record(record).message == "busy"


def test_failure_with_other_parts_is_the_same_failure() -> None:
    """Nothing is lost, not even the data that is recorded in addition to the texts."""
    error = errors.PlanChanged("changed", detail="Agreed: WAL.", hint="Look.")
    error.data = {"needed": "copy"}
    again = error.changed(hint="Look again.", target=TargetState.RESTORED)
    assert type(again) is errors.PlanChanged
    assert (again.message, again.detail, again.data) == ("changed", "Agreed: WAL.", error.data)
    assert (again.hint, again.target) == ("Look again.", TargetState.RESTORED)


def test_promise_8_node_is_named_once() -> None:
    busy = errors.Busy("node 12 is busy")
    assert busy.about("node 12").message == "node 12 is busy"
    assert busy.about("node 1").message == "node 1: node 12 is busy"
