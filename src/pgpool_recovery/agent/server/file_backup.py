"""Bracket a copy of this host's server by a backup whose session belongs to the conversation."""

from contextlib import ExitStack
from pathlib import Path

from pgpool_recovery.agent.server.standby import NAME, login_of
from pgpool_recovery.domain.error import Refused, Unreachable
from pgpool_recovery.facts.blocks import FileBackup
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.postgres.connection import Connection, connect
from pgpool_recovery.postgres.file_backup import start_file_backup, stop_file_backup
from pgpool_recovery.talk.request.blocks import StartFileBackup
from pgpool_recovery.talk.request.server import AskStandby


class BackupSession:
    """At most one backup; its session is closed with it, or at the end of the conversation."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._begun: tuple[Connection, FileBackup] | None = None

    def start(self, request: StartFileBackup, connect_s: float) -> FileBackup:
        """Begin a backup of the server that runs on the data directory."""
        data = Path(request.data_directory).resolve()
        running = read_pid_file(data)
        if running is None:
            raise Unreachable(f"no server is running on {request.data_directory}")
        asked = AskStandby(data.as_posix(), request.dbname, request.user, None, None)
        login = login_of(running, asked)
        session = connect(login, timeout_s=connect_s, answer_s=request.answer_s, name=NAME)
        connection = self._stack.enter_context(session)
        backup = start_file_backup(connection, request.label)
        self._begun = connection, backup
        return backup

    def see(self) -> None:
        """Raise Unreachable if the session was lost, and the backup with it.

        Also if the standby was promoted: its session goes on, but the backup is of no use any more,
        which the server would only say at the end, perhaps hours later.
        """
        connection, _ = self._known()
        if not connection.row("still_in_recovery")["is_in_recovery"]:
            raise Unreachable("the standby was promoted during the backup")

    def stop(self) -> str:
        """End the backup; return the contents of its backup_label."""
        label = stop_file_backup(*self._known())
        self.close()
        return label

    def close(self) -> None:
        """Close the session, which aborts a backup that was not ended."""
        self._begun = None
        self._stack.close()

    def _known(self) -> tuple[Connection, FileBackup]:
        if self._begun is None:
            raise Refused("no backup of the server's files was begun")
        return self._begun
