"""A backup of the primary whose files something else copies meanwhile."""

from pgpool_recovery.domain.wal import Lsn, parse_lsn
from pgpool_recovery.postgres.connection import Connection

NEW_NAMES_SINCE = 15


class OwnBackup:
    """A backup that has begun in the session of a connection; `end` returns its backup_label.

    If it is not ended, it ends with the session, and its label is lost.
    """

    def __init__(self, connection: Connection, major: int, label: str) -> None:
        self._connection = connection
        self._suffix = "" if major >= NEW_NAMES_SINCE else "_14"
        row = connection.row(f"begin_backup{self._suffix}", label=label)
        self.start: Lsn = parse_lsn(row["lsn"])
        """Where replay of what is copied from now on must begin."""

    def end(self) -> str:
        """End it and return the backup_label, which belongs into the copy."""
        return str(self._connection.row(f"end_backup{self._suffix}")["labelfile"])
