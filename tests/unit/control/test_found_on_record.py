"""What check reports from the record, and if the record may not be read."""

from typing import TYPE_CHECKING, Any, cast

import pytest

from pgpool_recovery.check.finding import Severity
from pgpool_recovery.control import found_on_record
from pgpool_recovery.control.check import Reported
from pgpool_recovery.control.found_on_record import find_on_record
from pgpool_recovery.domain.error import Denied
from tests.unit.cli import facts

if TYPE_CHECKING:
    from pgpool_recovery.control.extension import Primary

FOUND = Reported(Severity.WARNING, 1, "recovery 7 was interrupted")
MOVED = Reported(Severity.WARNING, 2, "node 2 was at /data")
DENIED = Denied("role watcher may not read the record of recoveries", hint="GRANT pg_monitor.")


def found(patch: pytest.MonkeyPatch, interrupted: Any, moved: Any) -> list[Reported]:
    def answering(answer: Any) -> Any:
        def look(*_words: object) -> list[Reported]:
            if isinstance(answer, Exception):
                raise answer
            return cast("list[Reported]", answer)

        return look

    patch.setattr(found_on_record, "find_interrupted", answering(interrupted))
    patch.setattr(found_on_record, "find_moved", answering(moved))
    return find_on_record(cast("Primary", None), facts.cluster())


def test_both_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, [FOUND], [MOVED]) == [FOUND, MOVED]


def test_record_that_may_not_be_read_is_one_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that may call the check still gets the other findings."""
    denied = Reported(
        Severity.WARNING,
        None,
        f"could not read the record of recoveries: {DENIED.message}",
        DENIED.hint,
    )
    assert found(monkeypatch, DENIED, DENIED) == [denied]
    assert found(monkeypatch, [FOUND], DENIED) == [FOUND, denied]
