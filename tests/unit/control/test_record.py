"""A recovery as it is read from the record."""

from typing import TYPE_CHECKING, Any, cast

from pgpool_recovery.control.record import RecordReader

if TYPE_CHECKING:
    from pgpool_recovery.postgres.connection import Connection


class Answers:
    """A connection that gives one answer after another."""

    def __init__(self, *states: str) -> None:
        self._states = list(states)

    def rows(self, query: str, **_parameters: object) -> list[dict[str, Any]]:
        assert query == "run"
        return [{"id": 7, "node_id": 1, "state": self._states.pop(0)}]


def state(*states: str) -> str:
    run = RecordReader(cast("Connection", Answers(*states))).run(7)
    assert run is not None
    return run.state


def test_end_between_the_row_and_the_locks_is_no_interruption() -> None:
    assert state("interrupted", "cancelled") == "cancelled"
    assert state("interrupted", "interrupted") == "interrupted"
    assert state("running") == "running"
