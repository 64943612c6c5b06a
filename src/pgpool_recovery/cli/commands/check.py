"""check: check whether every node could be recovered if it were lost now."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pgpool_recovery.cli.connection_options import Where
from pgpool_recovery.cli.output import note
from pgpool_recovery.cli.say import say, say_json
from pgpool_recovery.domain.error import Refused, as_failure

if TYPE_CHECKING:
    from pgpool_recovery.control.check import Reported
    from pgpool_recovery.control.cluster import Cluster


def check(
    *,
    strict: bool = False,
    textfile: Path | None = None,
    as_json: bool = False,
    where: Where,
) -> int:
    """Check whether every node, even a healthy one, could be recovered if it were lost now."""
    from pgpool_recovery.cli.render.check import check_lines
    from pgpool_recovery.cli.render.document import document
    from pgpool_recovery.control.check import status_of

    try:
        cluster, findings = _look(where)
    except Exception as error:
        _publish(textfile, as_failure(error).exit_status)
        raise
    status = status_of(findings, strict=strict)
    is_written = _publish(textfile, status, findings, [node.node_id for node in cluster.nodes])
    status = status if is_written else Refused.exit_status
    if as_json:
        say_json(document(findings=findings, exit_status=status))
    else:
        say(*check_lines(findings))
    return status


def _look(where: Where) -> "tuple[Cluster, Sequence[Reported]]":
    from pgpool_recovery.check.finding import in_order
    from pgpool_recovery.control.check import read_findings
    from pgpool_recovery.control.found_on_record import find_on_record
    from pgpool_recovery.control.trap import find_traps
    from pgpool_recovery.hooks.rehearsal import hook_findings

    settings, primary, cluster = where.primary()
    findings = read_findings(primary, cluster, within_s=settings.pgpool.plan_s)
    on_this_host = [*hook_findings(cluster, settings), *find_traps(cluster, primary.node)]
    return cluster, in_order([*findings, *find_on_record(primary, cluster), *on_this_host])


def _publish(
    file: Path | None,
    status: int,
    findings: "Sequence[Reported]" = (),
    node_ids: Sequence[int] | None = None,
) -> bool:
    """Write the metrics if they are wanted; return whether all is written that should be.

    A failure to do so must hide neither the findings nor the failure of the check.
    """
    if file is None:
        return True
    from pgpool_recovery.metrics.publish import publish_outcome

    try:
        publish_outcome(file, status, findings, node_ids)
    except Refused as error:
        note(error.in_a_line)
        return False
    return True
