"""No step of a target is limited by a time that its data could need: all limits are of silence."""

from inspect import getsource
from types import ModuleType
from typing import Any, cast, get_args

import pytest

from pgpool_recovery.domain.record import names_of
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.step.step import TargetStep
from pgpool_recovery.facts.step.transfer import (
    CheckMade,
    CopyBaseBackup,
    Delta,
    Incremental,
    Rewind,
    RunCommand,
)
from pgpool_recovery.run import basebackup, command, delta, incremental, rewind
from pgpool_recovery.run.party import Deadlines, Party
from pgpool_recovery.run.run_plan import Run

OF_THE_RUNNER: dict[type, ModuleType] = {
    CopyBaseBackup: basebackup,
    Rewind: rewind,
    Incremental: incremental,
    Delta: delta,
    CheckMade: command,
}
"""Steps in which the runner has a part of its own. A command has the limits that its user set."""
STALL_S = 900.0


class Recorder:
    """An agent that records how long it may be silent, and answers at once."""

    def __init__(self) -> None:
        self.limits: list[tuple[float, bool]] = []

    def ask(
        self, _request: object, *, timeout_s: float, is_renewed_by_events: bool = False
    ) -> TargetState:
        self.limits.append((timeout_s, is_renewed_by_events))
        return TargetState.UNTOUCHED


@pytest.mark.parametrize(
    "kind", [kind for kind in get_args(TargetStep) if kind not in (*OF_THE_RUNNER, RunCommand)]
)
def test_limit_of_each_step_is_renewed_by_progress(kind: type) -> None:
    agent, nobody = Recorder(), cast("Any", None)
    see = lambda _step: None  # noqa: E731
    limits = Deadlines(stall_s=STALL_S, undo_s=1, answer_s=1, connect_s=1)
    given: dict[str, Any] = {
        "agent": agent,
        "deadlines": limits,
        "see_following": see,
        "see_made": see,
    }
    party = Party(**{name: given.get(name, nobody) for name in names_of(Party)})
    step: Any = object.__new__(kind)  # What is in it does not matter.
    Run(party)._taken(step, is_final=False)
    assert agent.limits == [(STALL_S, True)]


@pytest.mark.parametrize("kind", OF_THE_RUNNER)
def test_limit_of_the_runners_steps_is_renewed_by_progress(kind: type) -> None:
    text = getsource(OF_THE_RUNNER[kind])
    assert "take_step(party, step)" in text or "is_renewed_by_events=True" in text
