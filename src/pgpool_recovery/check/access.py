"""Files on which a recovery of a node would break off, or because of which it is refused."""

from collections.abc import Iterator

from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.check.report import Report
from pgpool_recovery.check.words import sentence
from pgpool_recovery.plan.access import reject_change


def files(report: Report) -> Iterator[Finding]:
    """Say for each node what in its data could not be read, changed or removed."""
    for _, target, node in report.reached():
        for reason in reject_change(target.name, node.facts.target.access):
            yield Finding(
                Kind.FILES,
                target.node_id,
                f"a recovery of {target.name} would break off: {reason.message} "
                f"({sentence(reason.detail or '')})",
                reason.hint,
            )
