"""check: check whether every node could be recovered if it were lost now."""

from pgpool_recovery.cli.connection_options import Where
from pgpool_recovery.cli.say import say, say_json


def check(*, strict: bool = False, as_json: bool = False, where: Where) -> int:
    """Check whether every node, even a healthy one, could be recovered if it were lost now."""
    from pgpool_recovery.check.finding import in_order
    from pgpool_recovery.cli.render.check import check_lines
    from pgpool_recovery.cli.render.document import document
    from pgpool_recovery.control.check import read_findings, status_of
    from pgpool_recovery.control.found_on_record import find_on_record
    from pgpool_recovery.control.trap import find_traps
    from pgpool_recovery.hooks.rehearsal import hook_findings

    settings, primary, cluster = where.primary()
    findings = read_findings(primary, cluster, within_s=settings.pgpool.plan_s)
    on_this_host = [*hook_findings(cluster, settings), *find_traps(cluster, primary.node)]
    findings = in_order([*findings, *find_on_record(primary, cluster), *on_this_host])
    status = status_of(findings, strict=strict)
    if as_json:
        say_json(document(findings=findings, exit_status=status))
    else:
        say(*check_lines(findings))
    return status
