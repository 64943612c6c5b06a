"""Render the output of `check`."""

from collections import Counter
from collections.abc import Sequence

from pgpool_recovery.check.finding import ORDER, Severity
from pgpool_recovery.control.check import Reported

PLURAL = {
    Severity.ERROR: "errors",
    Severity.WARNING: "warnings",
    Severity.INFO: "info",
    Severity.OK: "ok",
}
WIDTH = 9


def check_lines(findings: Sequence[Reported]) -> list[str]:
    """Return the findings in their order, each with its advice, and a line that counts them."""
    lines = [line for finding in findings for line in _lines(finding)]
    count = Counter(finding.severity for finding in findings)
    said = [f"{count[each]} {PLURAL[each] if count[each] != 1 else each}" for each in ORDER]
    return [*lines, *([""] if lines else []), ", ".join(said)]


def _lines(finding: Reported) -> list[str]:
    whom = "cluster" if finding.node_id is None else f"node {finding.node_id}"
    fact = finding.fact.removeprefix(f"{whom} ")
    first = f"{finding.severity.upper():<{WIDTH}}{whom:<9}{fact}"
    return [first, f"{'':<{WIDTH + 9}}{finding.advice}"] if finding.advice else [first]
