"""The replication slots that the node's own server has from its time as primary."""

from pathlib import Path

from pgpool_recovery.agent.directory.own_login import own_server_words
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.slot import FormerSlot
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.postgres.connection import connect
from pgpool_recovery.postgres.slots import drop_former_slots
from pgpool_recovery.talk.request.server import DropFormerSlots

ANSWER_S = 30.0


def drop_former_slots_of(request: DropFormerSlots, connect_s: float) -> tuple[FormerSlot, ...]:
    """Drop the slots that may be dropped on a data directory's server; return all that it had.

    Raises Unreachable when the server is no longer running.
    """
    own = read_pid_file(Path(request.data_directory).resolve())
    if own is None:
        raise Unreachable("the server is no longer running")
    user = {} if request.user is None else {"user": request.user}
    login = {"host": own.host, "port": str(own.port), "dbname": request.dbname, **user}
    words = {**login, **own_server_words(own.host)}
    with connect(
        words, timeout_s=connect_s, answer_s=ANSWER_S, name="the node's own server"
    ) as connection:
        return drop_former_slots(connection, request.failover_slots)
