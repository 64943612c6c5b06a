"""Recoveries whose runner is gone: how far they came, what is on the target, what to do next."""

from pgpool_recovery.check.finding import Severity
from pgpool_recovery.control.check import Reported
from pgpool_recovery.control.cluster import Cluster, Node
from pgpool_recovery.control.extension import Feature, Primary
from pgpool_recovery.control.plan import read_plan
from pgpool_recovery.control.record import INTERRUPTED, RecordReader, RunProgress, where_it_stopped
from pgpool_recovery.domain.error import RecoveryError

ASK_WITHIN_S = 60.0
"""Examining a target takes long, because the sizes of its files are added up."""


def interrupted_runs(primary: Primary) -> list[RunProgress]:
    """Return the recoveries that have neither a runner nor an end; none without a record."""
    if not primary.has(Feature.HISTORY):
        return []
    with primary.connect(Feature.HISTORY) as connection:
        return [one for one in RecordReader(connection).progress() if one.state == INTERRUPTED]


def sentence_of(run: RunProgress) -> str:
    """Return which recovery was interrupted, and where."""
    return f"recovery {run.id} was interrupted{where_it_stopped(run)}"


def interruption_of(primary: Primary, node: Node) -> str | None:
    """Return the sentence about a node's interrupted recovery, if there is one."""
    try:
        found = [run for run in interrupted_runs(primary) if run.node_id == node.node_id]
    except RecoveryError:  # Planning and recovering again do not depend on the record.
        return None
    return sentence_of(found[-1]) if found else None


def found_on_target(primary: Primary, node: Node) -> str:
    """Return what is on the target now, or why that could not be determined."""
    if not primary.has(Feature.PLAN):
        return "the target was not examined"
    try:
        document = read_plan(primary, node, within_s=ASK_WITHIN_S).document
    except RecoveryError as error:
        return f"could not examine the target: {error.message}"
    if document.target_found:
        return f"on the target: {document.target_found}"
    return f"could not examine the target: {document.first_reason or 'no reason was given'}"


def find_interrupted(primary: Primary, cluster: Cluster) -> list[Reported]:
    """Return a finding for each interrupted recovery."""
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
    """Return how to complete or undo an interrupted recovery."""
    number = node.node_id
    return f'Check "pgpool-recovery plan {number}", then run "pgpool-recovery recover {number}".'
