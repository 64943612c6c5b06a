"""What a check has to know of each node beyond the facts of a recovery."""

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.standby import Trouble
from pgpool_recovery.facts.facts import Facts, Login, Slot

SETTINGS = (
    "full_page_writes",
    "hot_standby",
    "hot_standby_feedback",
    "idle_replication_slot_timeout",
    "max_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "max_replication_slots",
    "max_slot_wal_keep_size",
    "max_wal_senders",
    "max_wal_size",
    "max_worker_processes",
    "summarize_wal",
    "sync_replication_slots",
    "synchronized_standby_slots",
    "wal_keep_size",
    "wal_level",
)
"""Asked of each node's server, in the units of pg_settings."""


@record
class Archiver:
    """What a server's archiver does: the file at which it fails, None when it does not.

    `failures` are all since the statistics began. `waiting_histories` are history files that have
    waited for a minute.
    """

    failing: str | None
    failures: int
    waiting_histories: tuple[str, ...]


@record
class ServerFacts:
    """What a node's server says of itself, over the login that its own stage commands have.

    `settings` are those of `SETTINGS` that its version has. `archiver` is None without one.
    `has_python`: PL/Python's library is there. `extension` is the version of pgpool_recovery that
    its files would create.
    """

    version: int
    is_in_recovery: bool
    settings: dict[str, str]
    slots: tuple[Slot, ...]
    has_python: bool
    extension: str | None
    archiver: Archiver | None = None

    def number(self, name: str) -> int:
        """Return a setting that is a number; -1 where the version has none."""
        return int(self.settings.get(name, "-1"))

    def is_on(self, name: str) -> bool:
        """Say whether a setting is on; it is not where the version has none."""
        return self.settings.get(name) == "on"


@record
class StageScript:
    """A stage script of a data directory: what keeps it from being run, if anything does.

    `version` is that of the command that has placed it; None when it is somebody else's.
    """

    name: str
    problem: str | None
    version: str | None


@record
class Surroundings:
    """What there is on a node's host besides the data.

    `server` is None when it does not run, or when nobody gets in: `server_problem` says why.
    `open_password_file` is one that libpq does not read, because others may. `settings_problem`:
    what is wrong with the settings file.
    """

    server: ServerFacts | None
    server_problem: str | None
    scripts: tuple[StageScript, ...]
    is_noexec: bool
    open_password_file: str | None
    settings_problem: str | None


@record
class Problem:
    """Why something failed, in the parts of a PostgreSQL error."""

    message: str
    detail: str | None = None
    hint: str | None = None


@record
class PeerFacts:
    """How a node reaches another one: by ssh, to replicate, and for pg_rewind.

    `agent_version` is what the other's agent says of itself; without one `problem` says why.
    `untried` says why nobody logged in there.
    """

    agent_version: str | None
    problem: Problem | None
    logins: tuple[Login, ...]
    sql_logins: tuple[Login, ...]
    untried: Problem | None


@record
class NodeFacts:
    """All that was learnt of a node that could be reached.

    `facts` is what a recovery of it would know. `peers` are the other nodes, by their place among
    the nodes. `link_bytes_per_s`: how fast the link from the primary is; None on its own host.
    `trouble`: why its server is no sound standby of the primary; None also where it does not run.
    """

    agent_version: str
    surroundings: Surroundings
    facts: Facts
    peers: dict[int, PeerFacts]
    link_bytes_per_s: float | None
    trouble: Trouble | None = None
