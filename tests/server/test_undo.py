"""Promises 1 and 8: whatever goes wrong in a run, nothing of it stays on the primary.

The primary is a real server. The agent is a program that accepts every step except one.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, cast

import pytest

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Bug, Cancelled, RecoveryError, Undone
from pgpool_recovery.domain.event import Event, StepFinished, StepStarted, Undoing
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.step.moving import Reserve
from pgpool_recovery.facts.step.place import Touches
from pgpool_recovery.facts.step.standby import CreateSlot
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.postgres import connection as connections
from pgpool_recovery.run import own_slot, primary_steps
from pgpool_recovery.run.own_server import own_server
from pgpool_recovery.run.own_slot import OwnSlot
from pgpool_recovery.run.party import Deadlines, Party
from pgpool_recovery.run.run_plan import Run
from pgpool_recovery.talk.conversation import converse
from pgpool_recovery.talk.protocol import PROTOCOL, Answer, Greeting
from pgpool_recovery.talk.wire import encode_message
from tests.harness.postgresql import Server
from tests.unit.plan.situation import facts
from tests.unit.plan.test_basebackup import plan

SLOT = "pgpool_node_1"
PLAN = replace(plan(facts()), needed_segment=None)
STEPS = range(1, len(PLAN.steps) + 1)
TAKEN = [number for number in STEPS if not isinstance(PLAN.steps[number - 1], CreateSlot)]
"""Those that the agent takes."""
[CREATES] = [number for number in STEPS if isinstance(PLAN.steps[number - 1], CreateSlot)]
DEADLINES = Deadlines(stall_s=10, undo_s=10, answer_s=10, connect_s=5)

AGENT = f"""
import json, sys
print({encode_message(Greeting("pgpool-recovery", PROTOCOL, "2.0")).decode()!r}, end="", flush=True)
done = {encode_message(Answer(result="untouched")).decode()!r}
finished = {encode_message(Answer()).decode()!r}
undone = {encode_message(Answer(result="untouched")).decode()!r}
fails_at, answer, takes = json.loads(sys.argv[1]), sys.argv[2], 0
for line in sys.stdin:
    request = json.loads(line)["is"]
    if request in ("Ping", "Hello"):
        continue
    takes += request == "TakeStep"
    if request == "TakeStep" and takes == fails_at:
        if answer == "dies":
            break
        sys.stdout.buffer.write(answer.encode("latin-1") + b"\\n")
        sys.stdout.buffer.flush()
    else:
        answers = {{"Undo": undone, "Finish": finished}}
        print(answers.get(request, done), end="", flush=True)
"""
ANSWERS = {
    "an unknown event": '{"is": "Throttled"}',
    "an event with a field more": '{"is": "Said", "program": "x", "line": "y", "more": 1}',
    "an event without a field": '{"is": "Said", "program": "x"}',
    "an event with a wrong type": '{"is": "Progress", "done_bytes": [], "total_bytes": "x"}',
    "too deep": '{"is": ' + "[" * 100_000,
    "a result of another type": '{"is": "Answer", "result": {"a": 1}, "failure": []}',
    "a failure that is none": '{"is": "Answer", "result": null, "failure": {"error": 1}}',
    "a bug": json.dumps({"is": "Answer", "result": None, "failure": Bug("a bug").as_record()}),
    "a failure": json.dumps({"is": "Answer", "result": None, "failure": Undone("no").as_record()}),
    "nothing, it dies": "dies",
}
RAISED: dict[str, Callable[[], BaseException]] = {
    "KeyError": lambda: KeyError("x"),
    "OSError": lambda: BrokenPipeError(32, "Broken pipe"),
    "UnicodeEncodeError": lambda: UnicodeEncodeError("ascii", "ä", 0, 1, "ordinal not in range"),
    "ValueError": lambda: ValueError("I/O operation on closed file"),
    "RecursionError": lambda: RecursionError("too deep"),
    "MemoryError": MemoryError,
    "AssertionError": AssertionError,
    "Cancelled": lambda: Cancelled("the recovery was cancelled", detail="By SIGTERM."),
    "KeyboardInterrupt": KeyboardInterrupt,
    "SystemExit": lambda: SystemExit(3),
}


@pytest.fixture
def primary(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The server to which our own connections go; afterwards it must be unchanged."""
    monkeypatch.setenv("PGHOST", str(server.machine.address))  # The socket belongs to postgres.
    monkeypatch.setenv("PGPORT", str(server.port))
    monkeypatch.setenv("PGUSER", "postgres")
    before = files(server)
    yield server
    assert slots(server) == []
    assert files(server) == before


def slots(server: Server) -> list[Any]:
    return server.sql("SELECT slot_name FROM pg_replication_slots")


def files(server: Server) -> set[str]:
    """Return the names of all files in the data directory but those that a server itself makes."""
    own = ("pg_wal", "pg_stat", "pg_stat_tmp", "pg_logical", "pg_xact", "base", "global")
    data = Path(server.data_directory)
    found = (path.relative_to(data) for path in data.rglob("*"))
    return {str(path) for path in found if path.parts[0] not in own}


def run(
    emit: Callable[[Event], None], fails_at: int = 0, answer: str = "", made: Plan = PLAN
) -> None:
    argv = [sys.executable, "-c", AGENT, json.dumps(fails_at), answer]
    with (
        own_server(Settings()) as connection,
        converse(argv, "node 1", emit, timeout_s=10, undo_s=10) as agent,
    ):
        slot = OwnSlot(
            connection, lambda: own_server(Settings()), {}, emit, connect_s=DEADLINES.connect_s
        )
        Run(
            Party(
                connection,
                agent,
                slot,
                emit,
                DEADLINES,
                see_following=cast("Any", None),
                source=cast("Any", None),
                see_made=cast("Any", None),
            )
        ).carry_out(made)


def ignore(_event: Event) -> None:
    """Discard an event."""


@pytest.mark.parametrize("number", TAKEN)
@pytest.mark.parametrize("answer", ANSWERS)
def test_promise_1_nothing_is_left_whatever_the_agent_says(
    primary: Server, answer: str, number: int
) -> None:
    failure_at(number, answer)


def failure_at(number: int, answer: str) -> RecoveryError:
    """Return the failure of a run whose agent gives one of ANSWERS at a step."""
    with pytest.raises(RecoveryError) as raised:
        run(ignore, number if number < CREATES else number - 1, ANSWERS[answer])
    return raised.value


@pytest.mark.parametrize("number", TAKEN)
@pytest.mark.parametrize("answer", ANSWERS)
def test_promise_8_failure_names_node_step_cause_and_state(
    primary: Server, answer: str, number: int
) -> None:
    """A failure names its node, step, cause and the target's state.

    The state is unknown if the agent did not report what was at the target before, or how it was
    changed.
    """
    failure, says = failure_at(number, answer), answer in ("a bug", "a failure")
    assert_named(failure, number)
    assert isinstance(failure, Bug) is (answer == "a bug")
    step = PLAN.steps[number - 1]
    is_unknown = not says and (isinstance(step, Reserve) or step.touches is Touches.PLACE)
    assert failure.target is (TargetState.UNKNOWN if is_unknown else TargetState.UNTOUCHED)


def assert_named(error: RecoveryError, number: int) -> None:
    """Assert that a failure names node, step and cause."""
    step = str(PLAN.steps[number - 1])
    begin, _, cause = error.message.partition(f"could not {step}: ")
    assert begin == "node 1: "
    assert cause


@pytest.mark.parametrize("kind", [StepStarted, StepFinished])
@pytest.mark.parametrize("number", STEPS)
@pytest.mark.parametrize("what", RAISED)
def test_promise_1_nothing_is_left_whatever_is_raised_here(
    primary: Server, what: str, number: int, kind: type[StepStarted | StepFinished]
) -> None:
    """Nothing is left even if each report of an event fails, as on a terminal that is gone."""
    raised = RAISED[what]()
    told: list[Event] = []

    def emit(event: Event) -> None:
        told.append(event)
        is_there = isinstance(event, kind) and event.number == number
        if is_there or isinstance(event, Undoing):
            raise raised

    with pytest.raises(BaseException) as caught:  # noqa: PT011 - each is what was raised
        run(emit)
    assert any(isinstance(event, Undoing) for event in told)
    if not isinstance(raised, Exception):
        assert caught.value is raised
    elif isinstance(raised, Cancelled):
        assert isinstance(caught.value, Cancelled)
        assert str(PLAN.steps[number - 1]) in str(caught.value.detail)
    else:
        assert isinstance(caught.value, Bug)
        assert type(raised).__name__ in str(caught.value)
        assert caught.value.target is TargetState.UNTOUCHED
        assert_named(caught.value, number)


@pytest.mark.parametrize("what", RAISED)
def test_promise_1_slot_whose_creation_was_not_heard_of_is_dropped(
    primary: Server, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_slot = primary_steps.create_slot

    def create_and_fail(connection: connections.Connection, name: str) -> None:
        create_slot(connection, name)
        raised = RAISED[what]()
        raise raised

    monkeypatch.setattr(own_slot, "create_slot", create_and_fail)
    with pytest.raises(BaseException):  # noqa: B017, PT011 - each is what was raised
        run(ignore)


def test_promise_1_slot_that_is_being_created_is_dropped(
    primary: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slot is dropped even if a cancel came while the server was creating it.

    The cancel leaves the query running, so the slot appears a moment later and would stay.
    """
    slow = "select pg_create_physical_replication_slot(%(name)s, true) from pg_sleep(1.5)"
    query = connections._query
    monkeypatch.setattr(
        connections, "_query", lambda name: slow if name == "create_slot" else query(name)
    )

    def cancel(_number: int, _frame: FrameType | None) -> None:
        raise Cancelled("the recovery was cancelled")

    def emit(event: Event) -> None:
        if isinstance(event, StepStarted) and event.number == CREATES:
            signal.setitimer(signal.ITIMER_REAL, 0.5)

    before = signal.signal(signal.SIGALRM, cancel)
    began = time.monotonic()
    try:
        with pytest.raises(Cancelled):
            run(emit)
    finally:
        signal.signal(signal.SIGALRM, before)
    time.sleep(max(0.0, began + 3 - time.monotonic()))  # By now it would exist.


def test_slot_that_cannot_be_dropped_is_reported(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slot that cannot be dropped is reported, before anyone finds it by a full disk."""
    monkeypatch.setenv("PGHOST", str(server.machine.address))  # The socket belongs to postgres.
    monkeypatch.setenv("PGPORT", str(server.port))
    monkeypatch.setenv("PGUSER", "postgres")
    query = connections._query
    monkeypatch.setattr(
        connections, "_query", lambda name: "select 1/0" if name == "drop_slot" else query(name)
    )
    with pytest.raises(Undone) as caught:
        run(ignore, TAKEN[-1] - 1, ANSWERS["a failure"])
    assert f"On the primary: could not free replication slot {SLOT}" in str(caught.value.detail)
    assert "division by zero" in str(caught.value.detail)
    server.execute(f"SELECT pg_drop_replication_slot('{SLOT}')")


def test_plan_that_is_carried_out_keeps_its_slot(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A successful run keeps its slot; otherwise the tests above would show nothing."""
    monkeypatch.setenv("PGHOST", str(server.machine.address))  # The socket belongs to postgres.
    monkeypatch.setenv("PGPORT", str(server.port))
    monkeypatch.setenv("PGUSER", "postgres")
    assert "PGHOST" in os.environ
    run(ignore)
    assert slots(server) == [(SLOT,)]
    server.execute(f"SELECT pg_drop_replication_slot('{SLOT}')")
