"""Observe a running server of this host as one from which a copy could be read."""

from pathlib import Path

from pgpool_recovery.agent.directory.place import workspaces_of
from pgpool_recovery.agent.server.standby import ANSWER_S, NAME, StandbyLook, login_of
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.facts.source import SourceServer
from pgpool_recovery.host.lock import is_locked
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.postgres.connection import connect
from pgpool_recovery.talk.request.server import AskSource, AskStandby


def see_source(request: AskSource, look: StandbyLook, stop: Stop, connect_s: float) -> SourceServer:
    """Return what the server of a data directory reports; raise Unreachable if it cannot be asked.

    What it replicates is read by the same look that proves a standby after its start.
    """
    data = Path(request.data_directory).resolve()
    running = read_pid_file(data)
    if running is None:
        raise Unreachable(f"no server is running on {request.data_directory}")
    asked = AskStandby(data.as_posix(), request.dbname, request.user, None, request.slot_name)
    standby = look.take(asked, stop, connect_s)
    if standby.problem is not None:
        raise Unreachable("its server could not be queried", detail=standby.problem)
    login = login_of(running, asked)
    with connect(login, timeout_s=connect_s, answer_s=ANSWER_S, name=NAME) as connection:
        row = connection.row("source")
    return SourceServer(
        standby=standby,
        version=row["version"],
        port=row["port"],
        max_wal_senders=row["max_wal_senders"],
        wal_senders=row["wal_senders"],
        backups=row["backups"],
        tablespaces={int(oid): location for oid, location in row["tablespaces"].items()},
        is_busy=any(is_locked(workspace) for workspace in workspaces_of(data)),
    )
