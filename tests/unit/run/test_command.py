"""A command that copies from the primary runs inside a backup, which ends whatever happens."""

from math import inf
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.facts.own_method import OwnMethod
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.facts.step.transfer import RunCommand
from pgpool_recovery.run import command
from pgpool_recovery.run.party import Deadlines, Party
from pgpool_recovery.talk.request.steps import TakeStep, WriteLabel

DEADLINES = Deadlines(stall_s=1, undo_s=1, answer_s=3, connect_s=1)


def run(
    monkeypatch: pytest.MonkeyPatch, method: OwnMethod, *, major: int = 15, fails: bool = False
) -> list[object]:
    """Run a command in a made-up party, and return what was done, in order."""
    done: list[object] = []

    def row(query: str, **_: object) -> dict[str, str]:
        done.append(query)
        return {"lsn": "0/5000028", "label": "the label"}

    def ask(request: object, *, timeout_s: float) -> object:
        done.append((type(request), timeout_s))
        if isinstance(request, WriteLabel):
            done.append((request.directory, request.label))
        if fails:
            raise Undone("no")
        return TargetState.UNTOUCHED

    history = History(TimelineId(2), (Point(TimelineId(1), Lsn(1)),))
    monkeypatch.setattr(command, "read_wal", lambda _: SimpleNamespace(history=history))
    party = SimpleNamespace(
        deadlines=DEADLINES,
        connection=SimpleNamespace(row=row),
        agent=SimpleNamespace(ask=ask),
        slot=SimpleNamespace(require=done.append),
        checkpoint=lambda: done.append("checkpoint"),
    )
    place = Place("/data", "/w", is_inside=False, new="/w/new")
    step = RunCommand(
        Places(place, None, ()), "/bin", method, "node 1", {}, "slot", "1", major, {}, None
    )
    try:
        command.run_command(cast("Party", cast("Any", party)), step)
    except Undone:
        done.append("failed")
    return done


def test_backup_around_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, OwnMethod("own", ("/x",), in_backup=True, timeout_s=7)) == [
        "checkpoint",
        "backup_start",
        Point(TimelineId(2), Lsn(0x5000028)),
        (TakeStep, 10),
        "backup_stop",
        (WriteLabel, 3),
        ("/w/new", "the label"),
    ]


def test_backup_of_a_command_that_fails_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, OwnMethod("own", ("/x",), in_backup=True), fails=True)
    assert done[-2:] == ["backup_stop", "failed"]


def test_functions_of_postgresql_14(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, OwnMethod("own", ("/x",), in_backup=True), major=14)
    assert {"backup_start_14", "backup_stop_14"} <= {one for one in done if isinstance(one, str)}


def test_no_backup_without_in_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, OwnMethod("own", ("/x",))) == [(TakeStep, inf)]
