"""What a run reports about a target whose agent is gone silently, as after a crash of its host."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from pgpool_recovery.domain.error import Cancelled, Filled, NoRoom, RecoveryError, Unreachable
from pgpool_recovery.domain.event import Event, GotOn, Undoing
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.target_state import TargetState, with_next_step
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.facts.step.moving import Clone, RemoveOld, Reserve
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.facts.step.standby import Repoint
from pgpool_recovery.facts.step.step import TargetStep
from pgpool_recovery.plan.plan import OldData, Plan
from pgpool_recovery.run.own_slot import OwnSlot
from pgpool_recovery.run.party import Deadlines, Party
from pgpool_recovery.run.run_plan import Run
from pgpool_recovery.talk.conversation import converse
from pgpool_recovery.talk.protocol import PROTOCOL, Answer, Farewell, Greeting
from pgpool_recovery.talk.wire import encode_message
from tests.unit.plan.situation import CONNINFO

DATA = "/var/lib/pgsql/15/data"
PLACES = Places(
    data=Place(DATA, f"{DATA}.pgpool_recovery", is_inside=False, new=DATA),
    wal=None,
    tablespaces=(),
)
RESERVE = Reserve(PLACES)
REPOINT = Repoint(
    PLACES, CONNINFO, "pgpool_node_1", former_slot_name=None, port=None, bin_directory="/bin15"
)
REMOVE = RemoveOld(PLACES)
COPY = Clone(PLACES)
"""A step that touches nothing but a copy."""

GREETING = encode_message(Greeting("pgpool-recovery", PROTOCOL, "2.0")).decode()
DONE = encode_message(Answer(result="untouched")).decode()
FULL = NoRoom('could not write "/data/base/1": No space left on device', hint="Make room.")
FILLS_AT = f"""
import sys
print({GREETING!r}, end="", flush=True)
for line in sys.stdin:
    if sys.argv[1] in line:
        print({encode_message(Answer(failure=FULL.as_record())).decode()!r}, end="", flush=True)
    elif '"Undo"' in line:
        answer = {encode_message(Answer(result="STATE")).decode()!r}
        print(answer.replace("STATE", sys.argv[2]), end="", flush=True)
    elif "TakeStep" in line:
        print({DONE!r}, end="", flush=True)
"""
DIES_AT = f"""
import sys
print({GREETING!r}, end="", flush=True)
for line in sys.stdin:
    if sys.argv[1] in line:
        break
    if "TakeStep" in line:
        print({DONE!r}, end="", flush=True)
"""


TELLS_LAST = f"""
import sys
print({GREETING!r}, end="", flush=True)
for line in sys.stdin:
    pass
print({encode_message(Answer(failure=Cancelled("ended").as_record())).decode()!r}, end="")
print({encode_message(Farewell(TargetState.RESTORED)).decode()!r}, end="", flush=True)
"""

GETS_ON = f"""
import sys, time
print({GREETING!r}, end="", flush=True)
for line in sys.stdin:
    if '"Ping"' in line or '"Hello"' in line:
        continue
    if sys.argv[1] in line:
        for _ in range(8):
            time.sleep(0.25)
            if sys.argv[2] == "gets on":
                print({encode_message(GotOn()).decode()!r}, end="", flush=True)
    done = {DONE!r} if '"Finish"' not in line else {encode_message(Answer()).decode()!r}
    print(done, end="", flush=True)
"""


def plan_of(*steps: TargetStep) -> Plan:
    return Plan(
        target_name="node 1",
        method=Method.CATCH_UP,
        summary="",
        slot_name="pgpool_node_1",
        moved_bytes=None,
        old_data=OldData.KEPT,
        steps=steps,
    )


@contextmanager
def run_whose_agent_dies_at(step: TargetStep) -> Iterator[Run]:
    with run_with([sys.executable, "-c", DIES_AT, f'"{type(step).__name__}"']) as run:
        yield run


@contextmanager
def run_with(
    argv: list[str], stall_s: float = 10, emit: Callable[[Event], None] = lambda _event: None
) -> Iterator[Run]:
    with converse(argv, "node 1", lambda _event: None, timeout_s=10) as agent:
        deadlines = Deadlines(stall_s=stall_s, undo_s=10, answer_s=10, connect_s=5)
        slot = OwnSlot(cast("Any", None), cast("Any", None), {}, emit, connect_s=5)
        yield Run(
            Party(
                cast("Any", None),
                agent,
                slot,
                emit,
                deadlines,
                cast("Any", None),
                cast("Any", None),
                cast("Any", None),
            ),
        )


@pytest.mark.parametrize(
    ("fatal", "steps", "state"),
    [
        (RESERVE, (RESERVE, REPOINT), TargetState.UNKNOWN),
        (REPOINT, (RESERVE, REPOINT), TargetState.UNKNOWN),
        (REMOVE, (RESERVE, REMOVE), TargetState.UNKNOWN),
        (COPY, (RESERVE, COPY), TargetState.UNTOUCHED),
        (COPY, (RESERVE, REPOINT, COPY), TargetState.UNKNOWN),
    ],
)
def test_state_after_an_agent_that_died(
    fatal: TargetStep, steps: tuple[TargetStep, ...], state: TargetState
) -> None:
    with (
        run_whose_agent_dies_at(fatal) as run,
        pytest.raises(RecoveryError, match="lost") as caught,
    ):
        run.carry_out(plan_of(*steps))
    assert caught.value.target is state
    if state is TargetState.UNKNOWN:
        assert isinstance(caught.value, Unreachable)
        assert caught.value.hint is not None
        assert caught.value.hint.startswith("Recover the node again")


def test_state_of_half_changed_data_is_the_one_in_which_it_was_reserved() -> None:
    dies = DIES_AT.replace('"untouched', '"incomplete')
    assert dies != DIES_AT
    argv = [sys.executable, "-c", dies, '"Clone"']
    with run_with(argv) as run, pytest.raises(RecoveryError, match="lost") as caught:
        run.carry_out(plan_of(RESERVE, COPY))
    assert caught.value.target is TargetState.INCOMPLETE


def test_last_report_of_an_agent_that_was_interrupted_is_used() -> None:
    """As after a cancel: it undoes what it did, and reports that before it exits."""
    with (
        run_with([sys.executable, "-c", TELLS_LAST], stall_s=0.2) as run,
        pytest.raises(RecoveryError) as caught,
    ):
        run.carry_out(plan_of(REPOINT))
    assert caught.value.target is TargetState.RESTORED


@pytest.mark.parametrize(
    ("step", "state", "kind"),
    [
        (RESERVE, TargetState.UNTOUCHED, NoRoom),
        (RESERVE, TargetState.INCOMPLETE, Filled),
        (REPOINT, TargetState.UNTOUCHED, NoRoom),
        (REMOVE, TargetState.INCOMPLETE, Filled),
        (REMOVE, TargetState.COPIED, Filled),
    ],
)
def test_full_disk_is_reported_as_such_past_the_point_of_no_return(
    step: TargetStep, state: TargetState, kind: type[RecoveryError]
) -> None:
    argv = [sys.executable, "-c", FILLS_AT, f'"{type(step).__name__}"', str(state)]
    with run_with(argv) as run, pytest.raises(RecoveryError, match="No space left") as caught:
        run.carry_out(plan_of(RESERVE, step))
    assert type(caught.value) is kind
    assert caught.value.target is state
    assert str(caught.value.hint).startswith("Make room.")


def test_cancel_while_a_failure_is_undone_reports_the_resulting_state() -> None:
    argv = [sys.executable, "-c", FILLS_AT, '"RemoveOld"', str(TargetState.INCOMPLETE)]
    told: list[Event] = []

    def tell(event: Event) -> None:
        told.append(event)
        if isinstance(event, Undoing):
            os.kill(os.getpid(), signal.SIGTERM)

    def cancel(_number: int, _frame: object) -> None:
        raise Cancelled("the recovery was cancelled", detail="By SIGTERM.")

    before = signal.signal(signal.SIGTERM, cancel)
    try:
        with run_with(argv, emit=tell) as run, pytest.raises(Cancelled) as caught:
            run.carry_out(plan_of(RESERVE, REMOVE))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught.value.target is TargetState.INCOMPLETE
    assert str(caught.value.detail).startswith(f"By SIGTERM.\nIt had failed: {FULL.message}.\n")
    assert len([event for event in told if isinstance(event, Undoing)]) == 1


@pytest.mark.parametrize("state", [TargetState.INCOMPLETE, TargetState.COPIED, TargetState.UNKNOWN])
def test_state_in_which_a_node_does_not_stay_has_a_next_step(state: TargetState) -> None:
    assert "Recover the node again" in str(with_next_step(None, state))
    assert str(with_next_step("Make room.", state)).startswith("Make room. ")
    said = str(with_next_step("Mend it, then recover the node again.", state))
    assert said.lower().count("recover the node again") == 1


@pytest.mark.parametrize(
    "step", [RESERVE, REMOVE, COPY, REPOINT], ids=lambda step: type(step).__name__
)
def test_step_that_gets_on_is_waited_for_however_long_it_takes(step: TargetStep) -> None:
    """Each takes twice as long as a step may make no progress: what is large takes long."""
    argv = [sys.executable, "-c", GETS_ON, f'"{type(step).__name__}"', "gets on"]
    with run_with(argv, stall_s=1) as run:
        run.carry_out(plan_of(step))


def test_step_that_makes_no_progress_is_given_up() -> None:
    argv = [sys.executable, "-c", GETS_ON, '"Clone"', "hangs"]
    with run_with(argv, stall_s=1) as run, pytest.raises(RecoveryError, match="does not answer"):
        run.carry_out(plan_of(COPY))


def test_undo_that_gets_on_is_waited_for() -> None:
    argv = [sys.executable, "-c", GETS_ON, '"Undo"', "gets on"]
    with run_with(argv) as run:
        party = replace(run._party, deadlines=replace(run._party.deadlines, undo_s=1))
        assert Run(party)._undo_target() is TargetState.UNTOUCHED
