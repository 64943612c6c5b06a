"""Whether each node can run the commands of the settings that would make its data."""

from collections.abc import Iterator

from pgpool_recovery.check.estimates import on, sentence
from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.check.report import Report
from pgpool_recovery.facts.policy import Method


def own_methods(report: Report) -> Iterator[Finding]:
    """Report commands that a node could not run; a recovery would pass them over."""
    if Method.COMMAND not in report.policy.methods:
        return
    for _, target, node in report.reached():
        for method in node.facts.own_methods:
            if method.problem is not None:
                program = method.command[0]
                yield Finding(
                    Kind.OWN_METHOD,
                    target.node_id,
                    f"method {method.name} of the settings cannot make the data of {target.name}, "
                    f"because {program} cannot be run there ({sentence(method.problem)})",
                    f"{on(target)}: install {program}, executable, in a place where only root or "
                    f"{node.facts.target.user} can change it. If the method is not for this node, "
                    "set nodes in its table.",
                )
