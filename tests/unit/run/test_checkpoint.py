"""A backup begins with a checkpoint, which may take long: it is done before a limit counts."""

from typing import Any, cast

import pytest

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.event import Event, Said
from pgpool_recovery.plan.step import CopyBaseBackup, Place, Places
from pgpool_recovery.run import run_plan
from pgpool_recovery.run.run_plan import Deadlines, Run

PLACES = Places(Place("/data", "/data.w", is_inside=False, new="/data.w/new"), None, ())
COPY = CopyBaseBackup("/bin", {}, "pgpool_node_1", PLACES, None, None, 1)


class Primary:
    """A server that notes its orders, and may refuse them."""

    def __init__(self, order: list[str], *, may_checkpoint: bool) -> None:
        self._order = order
        self._may_checkpoint = may_checkpoint

    def do(self, command: str) -> None:
        self._order.append(command)
        if not self._may_checkpoint:
            raise Refused(f"{command} failed", detail="must be superuser")


class Progress:
    """What is told of a copy that takes no time."""

    done_bytes = 1

    def look(self) -> None:
        """Nothing gets on."""


class Agent:
    """An agent that notes that it was asked to copy."""

    def __init__(self, order: list[str]) -> None:
        self._order = order

    def ask(self, *_: object, **__: object) -> None:
        self._order.append("copy")


@pytest.mark.parametrize("may_checkpoint", [True, False])
def test_checkpoint_comes_before_the_copy(
    monkeypatch: pytest.MonkeyPatch, *, may_checkpoint: bool
) -> None:
    order: list[str] = []
    told: list[Event] = []
    monkeypatch.setattr(run_plan, "CopyProgress", lambda *_, **__: Progress())
    run = Run(
        cast("Any", Primary(order, may_checkpoint=may_checkpoint)),
        cast("Any", Agent(order)),
        cast("Any", None),
        told.append,
        Deadlines(stall_s=1, step_s=1, undo_s=1, answer_s=1, connect_s=1),
        {},
        cast("Any", None),
    )
    run._copy(COPY)
    assert order == ["CHECKPOINT", "copy"]
    said = [event.line for event in told if isinstance(event, Said)]
    refused = "no checkpoint before the backup: CHECKPOINT failed: must be superuser"
    assert said == ([] if may_checkpoint else [refused])
