"""Progress is reported at a rate that a person can follow, whatever reports it."""

import ast
import time
from pathlib import Path

import pytest

import pgpool_recovery
from pgpool_recovery.domain.event import Event, Progress
from pgpool_recovery.host.meter import TOLD_EVERY_S, Meter

PACKAGE = Path(pgpool_recovery.__file__).parent


def test_no_more_than_one_report_in_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now, events = [100.0], list[Event]()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    counted = Meter(events.append, 5000, is_comparison=True)
    for _ in range(5000):
        now[0] += TOLD_EVERY_S / 1000
        counted.add(1)
    assert len(events) in (4, 5)
    assert counted.done_bytes == 5000
    first = events[0]
    assert isinstance(first, Progress)
    assert first.total_bytes == 5000
    assert first.is_comparison
    assert first.bytes_per_s == pytest.approx(1000 / TOLD_EVERY_S, rel=0.01)


def test_nothing_else_reports_progress() -> None:
    """A part that counts by itself would fill the record when there is much to count."""
    makers = {
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if "Progress" in _imported_events(tree := ast.parse(file.read_text(encoding="utf-8")))
        and any(_makes_progress(node) for node in ast.walk(tree))
    }
    assert makers == {"host/meter.py"}


def _imported_events(tree: ast.Module) -> set[str]:
    return {
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "pgpool_recovery.domain.event"
        for name in node.names
    }


def _makes_progress(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Progress"
    )
