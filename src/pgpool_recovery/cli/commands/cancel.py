"""cancel: cancel a recovery."""

from pgpool_recovery.cli.connection_options import Where
from pgpool_recovery.cli.output import show_failure
from pgpool_recovery.cli.say import say, say_json
from pgpool_recovery.domain.node import parse_node_id
from pgpool_recovery.domain.target_state import TargetState

CANCEL_WITHIN_S = 60.0


def cancel(
    node: str,
    /,
    *,
    within: float = CANCEL_WITHIN_S,
    as_json: bool = False,
    where: Where,
) -> int:
    """Cancel the recovery of a node on all hosts, and report the state in which it is left."""
    from pgpool_recovery.cli.render.document import document
    from pgpool_recovery.cli.render.history import cancelled_text
    from pgpool_recovery.control.cancel import cancel as cancel_recovery
    from pgpool_recovery.control.cancel import ended_otherwise
    from pgpool_recovery.control.event import OperatorEvent, Remarked
    from pgpool_recovery.control.interrupted import found_on_target

    _, primary, cluster = where.primary()
    target = cluster.node(parse_node_id(node))
    remarks: list[str] = []

    def tell(event: OperatorEvent) -> None:
        if isinstance(event, Remarked):
            remarks.append(event.sentence)

    run = cancel_recovery(primary, target, tell, within_s=within)
    too_late = None if run is None else ended_otherwise(run)
    if run is not None and run.target_state in (None, str(TargetState.UNKNOWN)):
        remarks.append(found_on_target(primary, target))
    if as_json:
        say_json(document(cancelled=run, remarks=remarks, error=too_late))
    else:
        say(*[*(f"note: {remark}" for remark in remarks), cancelled_text(target, run)])
        if too_late is not None:
            show_failure(too_late)
    return 0 if too_late is None else too_late.exit_status
