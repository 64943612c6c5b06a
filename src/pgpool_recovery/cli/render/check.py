"""The screen of `check`."""

from collections import Counter
from collections.abc import Sequence

from pgpool_recovery.control.check import ERROR, INFO, OK, SEVERITIES, WARNING, Finding

PLURAL = {ERROR: "errors", WARNING: "warnings", INFO: "infos", OK: "ok"}
WIDTH = 9


def check_lines(findings: Sequence[Finding]) -> list[str]:
    """Return the findings, the gravest first, each with what to do, and how many there are."""
    lines = [line for finding in findings for line in _lines(finding)]
    count = Counter(finding.severity for finding in findings)
    said = [f"{count[each]} {PLURAL[each] if count[each] != 1 else each}" for each in SEVERITIES]
    return [*lines, *([""] if lines else []), ", ".join(said)]


def _lines(finding: Finding) -> list[str]:
    whom = "cluster" if finding.node_id is None else f"node {finding.node_id}"
    fact = finding.fact.removeprefix(f"{whom} ")
    first = f"{finding.severity.upper():<{WIDTH}}{whom:<9}{fact}"
    return [first, f"{'':<{WIDTH + 9}}{finding.advice}"] if finding.advice else [first]
