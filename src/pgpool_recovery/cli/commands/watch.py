"""watch: watch running recoveries."""

from pgpool_recovery.cli.connection_options import Where
from pgpool_recovery.cli.say import say, say_json
from pgpool_recovery.domain.node import parse_node_id


def watch(
    node: str | None = None,
    /,
    *,
    as_json: bool = False,
    as_events: bool = False,
    where: Where,
) -> int:
    """Watch running recoveries until they end, no matter who started them."""
    from pgpool_recovery.cli.interrupt import BY_SIGNAL, Left, leaving_by_signal
    from pgpool_recovery.cli.render.document import document
    from pgpool_recovery.cli.render.event_document import outcome_parts
    from pgpool_recovery.cli.screen import screen_of
    from pgpool_recovery.control.watch import watch as watch_recoveries

    settings, primary, _ = where.primary()
    node_id = None if node is None else parse_node_id(node)
    within_s = settings.pgpool.recovery_s
    screen = screen_of(as_json=as_json, as_events=as_events)
    try:
        with leaving_by_signal(), screen:
            outcomes = watch_recoveries(primary, screen.tell, node_id=node_id, within_s=within_s)
    except Left as left:
        return BY_SIGNAL + left.number
    status = next((one.exit_status for one in outcomes if one.failure is not None), 0)
    if as_json:
        say_json(document(recoveries=list(map(outcome_parts, outcomes)), exit_status=status))
    elif not outcomes and not as_events:
        of_node = "" if node is None else f" of node {node}"
        say(f"no recovery{of_node} is running")
    return status
