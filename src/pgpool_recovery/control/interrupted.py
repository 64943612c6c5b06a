"""A recovery whose runner is gone: how far it came, what stands on the target, what to do next."""

from pgpool_recovery.check.finding import Severity
from pgpool_recovery.control.check import Reported
from pgpool_recovery.control.cluster import Cluster, Node
from pgpool_recovery.control.extension import Feature, Primary
from pgpool_recovery.control.plan import read_plan
from pgpool_recovery.control.record import INTERRUPTED, Progress, Record, where_it_stopped
from pgpool_recovery.domain.error import RecoveryError

ASK_WITHIN_S = 60.0
"""A look at a target counts the sizes of its files."""


def interrupted_runs(primary: Primary) -> list[Progress]:
    """Return the recoveries that have no runner any more, nor an end; nothing without a record."""
    if not primary.has(Feature.HISTORY):
        return []
    with primary.connect(Feature.HISTORY) as connection:
        return [one for one in Record(connection).progress() if one.state == INTERRUPTED]


def sentence_of(run: Progress) -> str:
    """Say which recovery was interrupted, and where."""
    return f"recovery {run.id} was interrupted{where_it_stopped(run)}"


def interruption_of(primary: Primary, node: Node) -> str | None:
    """Return the sentence about a node's recovery that was interrupted, if one was."""
    try:
        found = [run for run in interrupted_runs(primary) if run.node_id == node.node_id]
    except RecoveryError:  # Who plans or recovers anew does not depend on what is on record.
        return None
    return sentence_of(found[-1]) if found else None


def found_on_target(primary: Primary, node: Node) -> str:
    """Ask the target what stands there now; why it could not be asked, where nobody answers."""
    if not primary.has(Feature.PLAN):
        return "the target was not asked"
    try:
        document = read_plan(primary, node, within_s=ASK_WITHIN_S).document
    except RecoveryError as error:
        return f"the target could not be asked: {error.message}"
    if document.target_found:
        return f"on the target: {document.target_found}"
    return f"the target could not be asked: {document.first_reason or 'nobody says why'}"


def find_interrupted(primary: Primary, cluster: Cluster) -> list[Reported]:
    """Return a finding for each recovery that was interrupted."""
    nodes: dict[int | None, Node] = {node.node_id: node for node in cluster.nodes}
    return [
        Reported(
            Severity.WARNING,
            run.node_id,
            f"{sentence_of(run)}; {found_on_target(primary, nodes[run.node_id])}",
            next_step(nodes[run.node_id]),
        )
        for run in interrupted_runs(primary)
        if run.node_id in nodes
    ]


def next_step(node: Node) -> str:
    """Return what completes or undoes it."""
    number = node.node_id
    return (
        f'See what "pgpool-recovery plan {number}" says, then "pgpool-recovery recover {number}".'
    )
