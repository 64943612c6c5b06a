"""What is known about the servers from which a copy can be read instead of from the primary."""

from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.standby import StandbyFacts, Trouble
from pgpool_recovery.facts.rejection import Rejection


@record
class SourceServer:
    """What an agent on the standby's host reports about its server.

    `backups` are the base backups that are being read from it now. `tablespaces` are its own
    locations, by OID. `is_busy`: a recovery of the node itself is running.
    """

    standby: StandbyFacts
    version: int
    port: int
    max_wal_senders: int
    wal_senders: int
    backups: int
    tablespaces: dict[int, str]
    is_busy: bool = False


@record
class Source:
    """A node from which a copy might be read, and where an agent finds it.

    `slot_name` and `application_name` are those of its stream from the primary, and `lag_bytes` is
    how much of what the primary has written it has not replayed. `is_primary`: the node is the
    primary itself. `server` is None if it was not asked, or if `problem` says why it could not be.
    `trouble` is what is wrong with it as a standby. `conninfo` is the replication connection by
    which the target reaches it; without one, `login_problem` says what was tried. `failed` is why
    an earlier attempt of the same run to read from it failed.
    """

    node_id: NodeId
    host: str = ""
    data_directory: str = ""
    slot_name: str | None = None
    application_name: str = ""
    lag_bytes: int = 0
    is_primary: bool = False
    server: SourceServer | None = None
    problem: Rejection | None = None
    trouble: Trouble | None = None
    conninfo: dict[str, str] | None = None
    login_problem: str | None = None
    failed: Rejection | None = None

    @property
    def name(self) -> str:
        """How messages name it."""
        return f"node {self.node_id}"
