"""The lines that describe each event to a person."""

import pytest

from pgpool_recovery.domain.event import (
    Event,
    Finished,
    PlanMade,
    Progress,
    Said,
    StepFinished,
    StepStarted,
    Undoing,
    as_text,
)

LINES: list[tuple[Event, list[str]]] = [
    (PlanMade("rewind", ("one", "two")), ["one", "two"]),
    (StepStarted("copy", 2, 5), ["step 2 of 5: copy"]),
    (StepFinished(2, 5, 12.34), ["step 2 of 5 took 12 s"]),
    (StepFinished(2, 5, 0.01), []),
    (Progress(0, 0, 0.0), ["0 bytes, 0 bytes/s"]),
    (
        Progress(3 * 2**30, 2 * 2**30, 2.0**20),
        ["3072 MB of 2048 MB (100 %), 1024 kB/s, 0.0 s left"],
    ),
    (Said("pg_receivewal", "hello"), ["pg_receivewal: hello"]),
    (Undoing("undo"), ["undo"]),
    (Finished("done", 1.0), ["done (1.0 s)"]),
]


@pytest.mark.parametrize(("event", "lines"), LINES)
def test_lines(event: Event, lines: list[str]) -> None:
    assert as_text(event) == lines
