"""What a check must know about each node in addition to the facts of a recovery."""

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.standby import SHUTDOWN_TIMEOUT, Trouble
from pgpool_recovery.facts.facts import Facts, Login, Slot

SETTINGS = (
    "extension_control_path",
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
    SHUTDOWN_TIMEOUT,
)
"""Settings that are queried from each node's server, in the units of pg_settings."""


@record
class Archiver:
    """The state of a server's archiver.

    `failing` is the file that it fails to archive, or None if it does not fail. `failures` counts
    all failures since the statistics were reset. `waiting_histories` are history files that have
    been waiting for a minute.
    """

    failing: str | None
    failures: int
    waiting_histories: tuple[str, ...]


@record
class ServerFacts:
    """What a node's server reports through the login that its own stage commands use.

    `settings` are those of `SETTINGS` that its version has. `archiver` is None if it has none.
    `has_python`: PL/Python's library is installed. `extension` is the version of pgpool_recovery
    that the installed files would create.
    """

    version: int
    is_in_recovery: bool
    settings: dict[str, str]
    slots: tuple[Slot, ...]
    has_python: bool
    extension: str | None
    archiver: Archiver | None = None

    def number(self, name: str) -> int:
        """Return a numeric setting; -1 if the version does not have it."""
        return int(self.settings.get(name, "-1"))

    def is_on(self, name: str) -> bool:
        """Return whether a setting is on; False if the version does not have it."""
        return self.settings.get(name) == "on"


@record
class StageScript:
    """A stage script of a data directory; `problem` is what keeps it from being run, or None.

    `version` is that of the command that installed it, or None for a foreign script.
    """

    name: str
    problem: str | None
    version: str | None


@record
class Surroundings:
    """What there is on a node's host apart from the data.

    `server` is None if it does not run or no session could be opened; `server_problem` says why.
    `is_noexec`: the scripts are on a filesystem that is mounted with noexec. `open_password_file`
    is a pass file that libpq ignores because others may read it. `settings_problem` is what is
    wrong with the settings file.
    """

    server: ServerFacts | None
    server_problem: str | None
    scripts: tuple[StageScript, ...]
    is_noexec: bool
    open_password_file: str | None
    settings_problem: str | None


@record
class Confinement:
    """How SELinux, which is enforcing on a node's host, confines its server.

    `domain` is the type of the server's process. `may_run_ssh` is a boolean of the policy; None if
    there is none, or if it may not be read.
    """

    domain: str
    may_run_ssh: bool | None


@record
class Problem:
    """Why something failed, in the parts of a PostgreSQL error."""

    message: str
    detail: str | None = None
    hint: str | None = None


@record
class PeerFacts:
    """How a node reaches another one: by ssh, to replicate, and for pg_rewind.

    `agent_version` is what the other node's agent reports; if it is None, `problem` says why.
    `untried` says why no login there was tried.
    """

    agent_version: str | None
    problem: Problem | None
    logins: tuple[Login, ...]
    sql_logins: tuple[Login, ...]
    untried: Problem | None


@record
class NodeFacts:
    """Everything that was learnt about a node that could be reached.

    `facts` is what a recovery of it would know. `peers` are the other nodes, by their index among
    the nodes. `link_bytes_per_s` is the speed of the link from the primary; None on the primary's
    host. `trouble` is why its server is not a sound standby of the primary; None also if the server
    does not run. `confinement` is None where SELinux does not enforce anything, the server does not
    run, or the agent is of a build that does not report it.
    """

    agent_version: str
    surroundings: Surroundings
    facts: Facts
    peers: dict[int, PeerFacts]
    link_bytes_per_s: float | None
    trouble: Trouble | None = None
    confinement: Confinement | None = None
