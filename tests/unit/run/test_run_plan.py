"""What a run says of a target whose agent is gone without a word, as after a crash of its host."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from pgpool_recovery.agent.conversation import converse
from pgpool_recovery.agent.protocol import PROTOCOL, Answer, Greeting
from pgpool_recovery.agent.wire import encode_message
from pgpool_recovery.domain.error import RecoveryError, Unreachable
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.plan.plan import OldData, Plan
from pgpool_recovery.plan.policy import Method
from pgpool_recovery.plan.step import Place, Places, RemoveOld, Repoint, Reserve, TargetStep
from pgpool_recovery.run.run_plan import Deadlines, Run
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

GREETING = encode_message(Greeting("pgpool-recovery", PROTOCOL, "2.0")).decode()
DONE = encode_message(Answer()).decode()
DIES_AT = f"""
import sys
print({GREETING!r}, end="", flush=True)
for line in sys.stdin:
    if sys.argv[1] in line:
        break
    if "TakeStep" in line:
        print({DONE!r}, end="", flush=True)
"""


@contextmanager
def run_whose_agent_dies_at(step: TargetStep) -> Iterator[Run]:
    argv = [sys.executable, "-c", DIES_AT, f'"{type(step).__name__}"']
    with converse(argv, "node 1", lambda _event: None, timeout_s=10) as agent:
        yield Run(
            cast("Any", None),
            agent,
            cast("Any", None),
            lambda _event: None,
            Deadlines(stall_s=10, step_s=10, undo_s=10, answer_s=10, connect_s=5),
            {},
            cast("Any", None),
        )


@pytest.mark.parametrize(
    ("fatal", "steps", "state"),
    [
        (RESERVE, (RESERVE, REPOINT), TargetState.UNTOUCHED),
        (REPOINT, (RESERVE, REPOINT), TargetState.UNKNOWN),
        (REMOVE, (RESERVE, REMOVE), TargetState.INCOMPLETE),
    ],
)
def test_state_after_an_agent_that_died(
    fatal: TargetStep, steps: tuple[TargetStep, ...], state: TargetState
) -> None:
    plan = Plan(
        target_name="node 1",
        method=Method.CATCH_UP,
        summary="",
        slot_name="pgpool_node_1",
        moved_bytes=None,
        old_data=OldData.KEPT,
        steps=steps,
    )
    with (
        run_whose_agent_dies_at(fatal) as run,
        pytest.raises(RecoveryError, match="lost") as caught,
    ):
        run.carry_out(plan)
    assert caught.value.target is state
    if state is TargetState.UNKNOWN:
        assert isinstance(caught.value, Unreachable)
        assert caught.value.hint is not None
        assert caught.value.hint.startswith("Recover the node again")
