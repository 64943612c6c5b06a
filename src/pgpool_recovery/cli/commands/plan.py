"""plan: show what a recovery would do."""

from pgpool_recovery.cli.connection_options import Where
from pgpool_recovery.cli.say import say, say_json
from pgpool_recovery.domain.node import parse_node_id


def plan(node: str, /, *, as_json: bool = False, where: Where) -> int:
    """Show what a recovery of a node would do, and why no cheaper method is possible."""
    from pgpool_recovery.cli.output import show_failure
    from pgpool_recovery.cli.render.document import document
    from pgpool_recovery.cli.render.lines import plan_lines
    from pgpool_recovery.control.interrupted import interruption_of
    from pgpool_recovery.control.plan import read_plan, refuse_primary
    from pgpool_recovery.control.pool_file import refuse_other_place

    settings, primary, cluster = where.primary()
    target = cluster.node(parse_node_id(node))
    refuse_other_place(cluster, target)
    refuse_primary(primary.node, target)
    found = read_plan(primary, target, within_s=settings.pgpool.plan_s)
    refusal = None if found.document.is_possible else found.refusal()
    if as_json:
        say_json(document(plan=found.document.fields))
    elif refusal is not None:
        show_failure(refusal)
    else:
        interruption = interruption_of(primary, target)
        say(*([f"{target.name}: {interruption}"] if interruption else []), *plan_lines(found))
    return 0 if refusal is None else refusal.exit_status
