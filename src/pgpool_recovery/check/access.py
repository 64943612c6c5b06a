"""Files that would make a recovery of a node be refused, or turn it into a full copy."""

from collections.abc import Iterator

from pgpool_recovery.check.estimates import sentence
from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.check.report import Report
from pgpool_recovery.facts.access import reject_change, reject_own_files
from pgpool_recovery.facts.rejection import Rejection


def files(report: Report) -> Iterator[Finding]:
    """Report for each node the files that could not be read, changed or removed."""
    for _, target, node in report.reached():
        access = node.facts.target.access
        refused = f"a recovery that replaces the data of {target.name} would be refused"
        for reason in reject_own_files(target.name, access):
            yield _finding(target.node_id, refused, reason)
        copied = (
            f"the data of {target.name} could not be changed in place, so a recovery would copy "
            "all of it"
        )
        for reason in reject_change(target.name, access):
            yield _finding(target.node_id, copied, reason)


def _finding(node_id: int | None, what: str, reason: Rejection) -> Finding:
    fact = f"{what}: {reason.message} ({sentence(reason.detail or '')})"
    return Finding(Kind.FILES, node_id, fact, reason.hint)
