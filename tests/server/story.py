"""Record a recovery that does not take place, from the events that a stage command emits."""

from pgpool_recovery.config.settings import HistorySettings, Settings
from pgpool_recovery.domain.event import (
    Event,
    Finished,
    Moved,
    PlanMade,
    Progress,
    Said,
    StepFinished,
    StepStarted,
    fit,
)
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.history.record import Stage, on_record

TARGET = Target("server1", "/data", NodeId(1), 5432)
STAGE = Stage(TARGET, leads_to="copied", primary_host="server0", primary_port=5432)
REMOTE_START = Stage(Target("server1", "/data"), leads_to="recovered", continues=True)
STEPS = 6
STORY: list[Event] = [
    PlanMade("rewind", ("plan: rewind", "not attach: it is down")),
    *(
        event
        for number in range(1, STEPS + 1)
        for event in (
            StepStarted(f"do thing number {number}", number, STEPS),
            Said("pg_rewind", "a line of a program"),
            StepFinished(number, STEPS, 0.5),
        )
    ),
    Progress(5, 10, 2.5),
    Moved(10),
    Finished("ready to be started", 3.0),
]


def carry_out(
    stage: Stage = STAGE,
    story: list[Event] = STORY,
    *,
    database: str = "postgres",
    keep: int = 9,
    settings: Settings | None = None,
) -> list[str]:
    """Record a run, and return the lines that the writer emitted about its own work."""
    told: list[Event] = []
    own = settings or Settings(history=HistorySettings(database, keep))
    with on_record(stage, own, lambda _name: told.append) as recorded:
        for event in story:
            recorded.emit(event)
    shown = [fit(event) for event in story]
    assert [event for event in told if event in shown] == shown, "some events were not passed on"
    return [event.line for event in told if isinstance(event, Said) and event.program == "history"]
