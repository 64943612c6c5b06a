"""attach, detach and promote: change how Pgpool-II uses a node."""

from typing import TYPE_CHECKING

from pgpool_recovery.cli.connection_options import Where
from pgpool_recovery.cli.say import say, say_json
from pgpool_recovery.domain.node import parse_node_id

if TYPE_CHECKING:
    from pgpool_recovery.pcp.client.node_info import NodeInfo


def attach(node: str, /, *, force: bool = False, as_json: bool = False, where: Where) -> None:
    """Attach a node to Pgpool-II, and wait until it is in use."""
    from pgpool_recovery.control.change import attach as attach_node

    settings = where.settings()
    node_id = parse_node_id(node)
    _tell(attach_node(where.pool(settings), settings, node_id, force=force), as_json=as_json)


def detach(
    node: str,
    /,
    *,
    gracefully: bool = False,
    yes: bool = False,
    as_json: bool = False,
    where: Where,
) -> None:
    """Detach a node from Pgpool-II, and wait until it is no longer in use."""
    from pgpool_recovery.cli.consent import ask
    from pgpool_recovery.control.change import detach as detach_node
    from pgpool_recovery.control.change import is_primary_in_pool

    settings = where.settings()
    node_id, pool = parse_node_id(node), where.pool(settings)
    if is_primary_in_pool(pool, node_id):
        question = f"Node {node} is the primary; detaching it causes a failover. Detach it?"
        ask(question, f"detaching the primary, node {node},", yes=yes)
    _tell(detach_node(pool, settings, node_id, gracefully=gracefully), as_json=as_json)


def promote(
    node: str,
    /,
    *,
    switchover: bool = False,
    gracefully: bool = False,
    yes: bool = False,
    as_json: bool = False,
    where: Where,
) -> None:
    """Make a node the primary, and wait until both Pgpool-II and its server report it as such."""
    from pgpool_recovery.cli.consent import ask
    from pgpool_recovery.cli.output import note
    from pgpool_recovery.control.change import promote as promote_node

    settings = where.settings()
    if switchover:
        question = (
            f"Promote node {node}? The current primary will be detached and its clients "
            "disconnected."
        )
    else:
        question = f"Make Pgpool-II treat node {node} as the primary? This is not a switchover."
    ask(question, f"the promotion of node {node}", yes=yes)
    info = promote_node(
        where.pool(settings),
        settings,
        parse_node_id(node),
        note,
        switchover=switchover,
        gracefully=gracefully,
    )
    _tell(info, as_json=as_json)


def _tell(info: "NodeInfo", *, as_json: bool) -> None:
    from pgpool_recovery.cli.render.document import document

    if as_json:
        say_json(document(node={"node_id": info.node_id, "status": info.status, "role": info.role}))
    else:
        say(f"node {info.node_id} is {info.status}, {info.role}")
