"""A PostgreSQL server on a machine, in the words of an administrator."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from .command import CommandError, Completed
from .installation import Installation
from .layout import Layout
from .machine import Machine
from .process_table import ProcessInfo, descendants
from .psql import OUTPUT_OPTIONS, conninfo, quoted, rows_of
from .server_configuration import hba_text, settings_text, write_password_file
from .template import REPLICATION_USER, SUPERUSER
from .until import until

_SETTINGS_FILE = "conf.d/50-harness.conf"
_PG_CTL_WITHIN_S = 90
_LOG_TAIL_CHARACTERS = 2000


@dataclass
class Server:
    """One node: a data directory, its configuration, and the server that runs on it.

    Everything is done through PostgreSQL's own programs on the server's machine.
    """

    machine: Machine
    installation: Installation
    layout: Layout
    node_id: int
    port: int
    authentication: str = "trust"  # of connections over TCP, as in pg_hba.conf
    settings: dict[str, str] = field(default_factory=dict)
    hba_lines: list[str] = field(default_factory=list)  # come before those of the harness

    @property
    def name(self) -> str:
        """The application_name with which this node streams."""
        return f"node{self.node_id}"

    @property
    def slot(self) -> str:
        """The replication slot through which this node streams."""
        return f"node_{self.node_id}"

    @property
    def data_directory(self) -> Path:
        return self.layout.data_directory

    @property
    def log_file(self) -> Path:
        return self.layout.log_file

    def create_from(self, template: Path) -> None:
        """Put a copy of a data directory in place and configure it."""
        self.machine.make_directory(self.data_directory.parent)
        self.machine.run(["cp", "--recursive", "--preserve", template, self.data_directory])
        self.configure()

    def make_standby_of(self, primary: "Server") -> None:
        """Make a standby with pg_basebackup, streaming through a slot of its own; not started."""
        self.remove_data()
        primary.drop_slot(self.slot)
        write_password_file(self.machine)
        source = primary.conninfo(REPLICATION_USER, application_name=self.name)
        backup = ["-w", "-d", source, "-X", "stream", "-c", "fast", "--no-sync"]
        standby = ["-R", "-C", "-S", self.slot]
        argv = self._program("pg_basebackup", "-D", self.data_directory, *backup, *standby)
        self.machine.run(argv, timeout_s=600)
        self.configure()

    def configure(self) -> None:
        """Write the part of the node's configuration that the harness owns."""
        self.layout.adopt(self.machine)
        self._write_hba()
        self._write_settings()

    def set(self, **settings: str) -> None:
        """Change settings; a running server reloads them, some need a restart."""
        self.settings.update(settings)
        self._write_settings()
        if self.is_running:
            self.reload()

    def allow(self, *hba_lines: str) -> None:
        """Put lines in front of pg_hba.conf; the first matching line decides, even to reject."""
        self.hba_lines[:0] = hba_lines
        self._write_hba()
        if self.is_running:
            self.reload()

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        try:
            self.machine.run(self.layout.start_argv(), timeout_s=_PG_CTL_WITHIN_S)
        except CommandError as error:
            error.add_note(self.log_text()[-_LOG_TAIL_CHARACTERS:])
            raise
        until(
            lambda: self.accepts_connections, within_s=30, what=f"{self.name} to accept connections"
        )

    def stop(self, mode: str = "fast") -> None:
        """Stop the server with a mode of pg_ctl: smart, fast or immediate."""
        self.machine.run(self.layout.stop_argv(mode), timeout_s=_PG_CTL_WITHIN_S)

    def restart(self) -> None:
        self.stop()
        self.start()

    def reload(self) -> None:
        self.machine.run(self._program("pg_ctl", "-D", self.data_directory, "reload"))

    def kill(self) -> None:
        """Kill all processes of the server at once, the postmaster first, like a power failure."""
        pids = [str(process.pid) for process in self.processes()]
        if pids:
            self.machine.run(["kill", "-KILL", *pids], user="root", check=False)
            until(lambda: not self.processes(), within_s=10, what=f"{self.name} to be dead")

    def lose(self) -> None:
        """Kill the server and delete its data, as if its disk were lost."""
        self.kill()
        self.remove_data()

    def remove_data(self) -> None:
        self.machine.run(["rm", "-rf", self.data_directory])

    def promote(self) -> None:
        """Promote a standby and wait until it is a primary."""
        self.execute("SELECT pg_promote(true, 60)")
        until(lambda: not self.is_in_recovery, within_s=60, what=f"{self.name} to be promoted")

    @property
    def is_running(self) -> bool:
        status = self._program("pg_ctl", "-D", self.data_directory, "status")
        return self.machine.run(status, check=False).returncode == 0

    @property
    def accepts_connections(self) -> bool:
        ready = self._program("pg_isready", "-q", *self._local_address)
        return self.machine.run(ready, check=False).returncode == 0

    @property
    def is_in_recovery(self) -> bool:
        return self.sql("SELECT pg_is_in_recovery()") == [("t",)]

    def processes(self) -> list[ProcessInfo]:
        """Return the postmaster and what it started, or nothing."""
        everything = self.machine.processes()
        postmaster = [one for one in everything if one.pid == self._postmaster_pid()]
        return [*postmaster, *(descendants(everything, postmaster[0].pid) if postmaster else [])]

    def sql(self, query: str, *, database: str = "postgres") -> list[tuple[str, ...]]:
        """Return the rows of a query, each value as text; NULL is the empty string, as in psql."""
        return rows_of(self.execute(query, database=database).stdout)

    def execute(self, statements: str, *, database: str = "postgres") -> Completed:
        """Run statements one after another; raises CommandError at the first that fails."""
        where = [*self._local_address, "-U", SUPERUSER, "-d", database]
        psql = self._program("psql", *where, *OUTPUT_OPTIONS)
        return self.machine.run(psql, stdin=statements, timeout_s=300)

    def wal_position(self) -> str:
        """Return the LSN up to which this node has written or, as a standby, replayed WAL."""
        query = (
            "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
            " ELSE pg_current_wal_lsn() END"
        )
        return self.sql(query)[0][0]

    def slots(self) -> dict[str, bool]:
        """Return the replication slots by name, and whether each is in use."""
        rows = self.sql("SELECT slot_name, active FROM pg_replication_slots ORDER BY slot_name")
        return {name: active == "t" for name, active in rows}

    def drop_slot(self, name: str) -> None:
        """Drop a slot, if it exists, as soon as it is no longer in use."""
        until(lambda: not self.slots().get(name), within_s=20, what=f"slot {name} to be free")
        self.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            f" WHERE slot_name = {quoted(name)}"
        )

    def create_tablespace(
        self, name: str, location: Path, *, also_on: Sequence["Server"] = ()
    ) -> None:
        """Create a tablespace; its directory is made here and on the standbys that will need it."""
        for server in (self, *also_on):
            server.machine.make_directory(location, mode=0o700)
        self.execute(f"CREATE TABLESPACE {name} LOCATION {quoted(str(location))}")

    def controldata(self) -> dict[str, str]:
        """Return what pg_controldata prints, keyed by its labels."""
        argv = self._program("pg_controldata", "-D", self.data_directory)
        lines = self.machine.run(argv, env={"LC_ALL": "C"}).stdout.splitlines()
        pairs = (line.partition(":") for line in lines)
        return {key.strip(): value.strip() for key, _, value in pairs}

    def log_text(self) -> str:
        log = self.machine.path(self.log_file)
        return log.read_text(errors="replace") if log.exists() else ""

    def conninfo(self, user: str = SUPERUSER, **parameters: str) -> str:
        """Return a libpq connection string with which any machine of the network can connect."""
        host, port = self.machine.address, str(self.port)
        return conninfo(host=host, port=port, user=user, **parameters)

    def conninfo_from_here(self, user: str = SUPERUSER, **parameters: str) -> str:
        """Return a libpq connection string for this process, which no network of hosts has."""
        socket = self.machine.path(self.machine.socket_directory)
        return conninfo(host=str(socket), port=str(self.port), user=user, **parameters)

    @property
    def _local_address(self) -> tuple[str, ...]:
        return ("-h", str(self.machine.socket_directory), "-p", str(self.port))

    def _program(self, name: str, *arguments: str | PurePath) -> list[str | PurePath]:
        return [self.installation.program(name), *arguments]

    def _postmaster_pid(self) -> int:
        file = self.machine.path(self.data_directory / "postmaster.pid")
        return int(file.read_bytes().split(b"\n")[0]) if file.exists() else -1

    def _write_settings(self) -> None:
        text = settings_text(self.machine, self.port, self.settings)
        self.machine.write_file(self.layout.configuration_directory / _SETTINGS_FILE, text)

    def _write_hba(self) -> None:
        text = hba_text(self.machine, self.authentication, self.hba_lines)
        self.machine.write_file(self.layout.configuration_directory / "pg_hba.conf", text)
