"""status: show the current state of the nodes."""

from pgpool_recovery.cli.connection_options import Where
from pgpool_recovery.cli.say import say, say_json


def status(*, as_json: bool = False, where: Where) -> None:
    """Show the current state of the nodes, in Pgpool-II and on their servers."""
    from pgpool_recovery.cli.render.document import document
    from pgpool_recovery.cli.render.status import status_lines
    from pgpool_recovery.control.status import read_status

    settings = where.settings()
    place = None if where.without_pgpool else where.pool(settings).server.address.name
    found = read_status(where.cluster(settings), place)
    if as_json:
        say_json(document(status=found))
    else:
        say(*status_lines(found))
