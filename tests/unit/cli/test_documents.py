"""The JSON documents: their parts, and that each has its version."""

import json
from dataclasses import fields, is_dataclass
from datetime import datetime
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from pgpool_recovery.cli.app import run_app
from pgpool_recovery.cli.render.document import document, plain
from pgpool_recovery.cli.render.event_document import EVENTS, event_line
from pgpool_recovery.control.check import Reported
from pgpool_recovery.control.event import OperatorEvent
from pgpool_recovery.control.status import NodeStatus, Status
from tests.unit.cli import facts
from tests.unit.cli.test_screens import ALL


def conforms(value: Any, kind: Any) -> bool:
    """Return whether a JSON value is what a field of this type becomes."""
    if get_origin(kind) in (Union, UnionType):
        return any(conforms(value, one) for one in get_args(kind))
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return set(value) == {each.name for each in fields(kind)} and all(
            conforms(value[each.name], hints[each.name]) for each in fields(kind)
        )
    if get_origin(kind) is tuple:
        return isinstance(value, list) and all(conforms(one, get_args(kind)[0]) for one in value)
    if get_origin(kind) is dict:
        return isinstance(value, dict)
    if kind is datetime:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    if kind is float:
        return isinstance(value, int | float)
    return isinstance(value, kind)


@pytest.mark.parametrize(
    "value",
    [
        facts.run(),
        facts.FAILED,
        facts.running(),
        facts.EVENTS[0],
        Reported("ok", None, "fact"),
        Status("server9", 0, (NodeStatus(0, recovery=facts.running()),), ("remark",)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_form(value: Any) -> None:
    assert conforms(json.loads(json.dumps(plain(value))), type(value))


def test_conforms_finds_another_form() -> None:
    assert not conforms(json.loads(json.dumps(plain(facts.run(id="x")))), type(facts.run()))
    assert not conforms({}, type(facts.run()))


def test_version() -> None:
    assert json.loads(document(runs=[]))["version"] == 1


@pytest.mark.parametrize("event", ALL, ids=lambda event: type(event).__name__)
def test_event(event: OperatorEvent) -> None:
    line = event_line(event)
    parts = json.loads(line)
    assert "\n" not in line
    assert parts["version"] == 1
    assert parts["event"] in EVENTS
    assert parts["node_id"] == 2


@pytest.mark.parametrize("option", ["--json", "--events"])
def test_failure(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A failure is a document, too, which contains the exit status."""
    assert run_app(["recover", option]) == 2
    printed = capsys.readouterr()
    parts = json.loads(printed.out)
    assert printed.err == ""
    assert parts["version"] == 1
    assert parts["exit_status"] == parts["error"]["exit_status"] == 2


def test_unknown_option_as_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["status", "--json", "--colour"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["error"] == "UsageError"
