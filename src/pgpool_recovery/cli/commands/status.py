"""status: the nodes as they are now."""

from pgpool_recovery.cli.output import AsJson
from pgpool_recovery.cli.say import say, say_json
from pgpool_recovery.cli.where import Where


def status(*, as_json: AsJson = False, where: Where | None = None) -> None:
    """Show the nodes as they are now, for Pgpool-II and for themselves.

    For each node its status in the pool, its role, whether it streams and how far it is behind,
    its replication slot and the WAL that this keeps on the primary, and a recovery that runs.
    Below the table stands what is not as it should be.
    """
    from pgpool_recovery.cli.render.document import document
    from pgpool_recovery.cli.render.status import status_lines
    from pgpool_recovery.control.status import read_status

    where = where or Where()
    settings = where.settings()
    place = None if where.without_pgpool else where.pool(settings).server.address.name
    found = read_status(where.cluster(settings), place)
    if as_json:
        say_json(document(status=found))
    else:
        say(*status_lines(found))
