"""What a check shows, and in which order, no matter which build found it."""

from pgpool_recovery.check.finding import Finding, Kind, Severity, in_order
from pgpool_recovery.control.check import Reported, status_of


def test_worst_comes_first_then_the_cluster_and_each_once() -> None:
    down, twice = Reported(Severity.ERROR, 2, "down"), Reported(Severity.ERROR, None, "two")
    found = [Reported(Severity.OK, 0), Reported("info", 1), down, Reported("warning", 1), twice]
    shown = in_order([*found, down])
    assert [one.severity for one in shown] == ["error", "error", "warning", "info", "ok"]
    assert shown[:2] == (twice, down)


def test_severity_of_a_newer_build_is_not_dropped() -> None:
    newer = Reported("panic", 3)
    assert in_order([Reported("warning", 1), newer])[0] is newer


def test_what_the_primary_finds_is_in_the_same_order() -> None:
    found = [
        Finding(Kind.DOWN, 1, "down"),
        Finding(Kind.REFUSED, 2, "no"),
        Finding(Kind.DOWN, 0, ""),
    ]
    assert [(one.severity, one.node_id) for one in in_order(found)] == [
        ("error", 2),
        ("warning", 0),
        ("warning", 1),
    ]


def test_status_reflects_errors_and_with_strict_warnings() -> None:
    warning = [Reported(Severity.WARNING, 1)]
    assert (status_of(warning, strict=False), status_of(warning, strict=True)) == (0, 4)
    assert status_of([Reported("error", 1)], strict=False) == 4
