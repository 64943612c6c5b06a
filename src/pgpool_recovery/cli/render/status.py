"""Render the output of `status`."""

from pgpool_recovery.cli.render.quantity import duration, progress, size
from pgpool_recovery.cli.render.table import table
from pgpool_recovery.control.record import RunProgress
from pgpool_recovery.control.status import NodeStatus, Status

HEADER = ("node", "address", "pool", "role", "server", "replication", "lag", "slot", "keeps")


ON_SCREEN = ("primary", "foreign", "ahead", "history", "target", "paused", "slot taken")
"""Kinds of trouble shown instead of the state in pg_stat_replication, which may be "streaming"."""


def status_lines(status: Status) -> list[str]:
    """Return the nodes as a table, and below it running recoveries, problems and remarks."""
    lines = table(HEADER, [_row(node) for node in status.nodes], right="lag keeps")
    for node in status.nodes:
        if node.recovery is not None:
            lines += ["", *running_lines(node.recovery)]
    found = [f"node {node.node_id}: {text}" for node in status.nodes for text in _texts(node)]
    remarks = [*found, *status.remarks]
    return [*lines, *([""] if remarks else []), *remarks]


def running_lines(running: RunProgress) -> list[str]:
    """Return a running recovery, on at most two lines."""
    method = f" by {running.method}" if running.method else ""
    since = duration(running.elapsed_s)
    lines = [f"{running.name}: recovery {running.id}{method}, {running.state} for {since}"]
    if running.sentence:
        step = f"step {running.step} of {running.steps}: " if running.step else ""
        how_far = progress(running)
        lines.append("  " + step + running.sentence + (f": {how_far}" if how_far else ""))
    return lines


def _texts(node: NodeStatus) -> list[str]:
    failure = [node.server_failure] if node.server_failure and not node.recovery else []
    return [*node.problems, *failure]


def _row(node: NodeStatus) -> list[str]:
    replication = node.replication_state or "-"
    if node.trouble in ON_SCREEN:
        replication = f"{node.trouble}!"
    elif node.replication_sync_state:
        replication += f" ({node.replication_sync_state})"
    slot = node.slot_name or "-"
    if node.slot_name and not node.slot_is_active:
        slot += " (not in use)"
    return [
        str(node.node_id),
        f"{node.host or 'local'}:{node.port}",
        node.pool_status or "-",
        node.server_role or node.pool_role or "-",
        node.server if node.server_version is None else f"{node.server} {node.server_version}",
        replication,
        size(node.lag_bytes),
        slot,
        size(node.slot_kept_bytes),
    ]
