"""A real Pgpool-II with PCP on a machine, driven by its own pcp_* programs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .command import CommandError, CommandTimeoutError, Completed
from .machine import Machine
from .pgpool_configuration import (
    PCP_USER,
    PgpoolPlace,
    PgpoolSettings,
    failover_script,
    pcp_conf,
    pcppass,
    pgpool_conf,
    pool_hba_conf,
    pool_passwd,
)
from .postgresql import Server
from .psql import OUTPUT_OPTIONS, conninfo, rows_of
from .server_configuration import write_password_file
from .template import SUPERUSER
from .until import DeadlineError, until

if TYPE_CHECKING:
    from .keeper import Child

_PCP_ANSWERS_WITHIN_S = 5
_ENDED = "unable to read data from socket"
_PCP_TRIES = 4
_LOG_TAIL_CHARACTERS = 2000
_NODE_CHANGE = re.compile(r"(?i)(starting (?!follow)[a-z ]+|done)\. \w+ host")


class PcpError(Exception):
    """A pcp_* command did not succeed; only its output tells whether it did."""


@dataclass(frozen=True)
class NodeInfo:
    """What pcp_node_info reports about a node, in its own words.

    `status` is unused, waiting, up, down or quarantine; `role` is primary or standby, or main or
    replica without streaming replication. `pg_status` and `pg_role` are what Pgpool-II found by
    connecting at that moment.
    """

    hostname: str
    port: int
    status: str
    pg_status: str
    role: str
    pg_role: str
    replication_delay: str
    replication_state: str

    @property
    def is_attached(self) -> bool:
        """Up, or waiting: up without a client's connection yet."""
        return self.status in {"up", "waiting"}


class Pgpool:
    """Pgpool-II for a list of servers, as user postgres, with files and sockets of its own."""

    def __init__(
        self, machine: Machine, servers: Sequence[Server], settings: PgpoolSettings | None = None
    ) -> None:
        self.machine = machine
        self.servers = tuple(servers)
        self.settings = settings or PgpoolSettings()
        self.place = PgpoolPlace(
            machine,
            directory=machine.home / "pgpool",
            port=machine.free_port(9999),
            pcp_port=machine.free_port(9898),
        )
        self._child: Child | None = None

    def start(self, *, keep_status: bool = False) -> None:
        """Start Pgpool-II and wait until it takes connections and knows its primary.

        Without `keep_status` it forgets which nodes were down.
        """
        self._write_files()
        argv = self._start_argv(keep_status=keep_status)
        self._child = self.machine.spawn(argv, log=self.place.log, cwd=self.place.directory)
        try:
            until(self._is_ready, within_s=40, what="Pgpool-II to be ready", tolerating=(PcpError,))
        except DeadlineError as error:
            error.add_note(self.log_text()[-_LOG_TAIL_CHARACTERS:])
            raise

    def stop(self, mode: str = "fast") -> None:
        """Stop Pgpool-II: smart, fast or immediate."""
        self.machine.run([*self._pgpool(), "-m", mode, "stop"])
        if self._child is not None:
            self._child.wait(timeout_s=30)

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.is_alive

    def reload(self) -> None:
        """Write the configuration again and have Pgpool-II reload it."""
        self._write_files()
        self.machine.run([*self._pgpool(), "reload"])

    def recovery_node(self, node_id: int, *, timeout_s: float = 120) -> Completed:
        """Run pcp_recovery_node once, whatever the result; its exit status is always 0."""
        self.wait_until_settled()
        return self.pcp("pcp_recovery_node", "-n", str(node_id), timeout_s=timeout_s)

    def detach_node(self, node_id: int) -> None:
        """Detach a node and wait until Pgpool-II says that it is down."""
        self._command_node("pcp_detach_node", node_id)
        self.wait_for_node(node_id, "down", within_s=20)

    def attach_node(self, node_id: int) -> None:
        """Attach a node and wait until Pgpool-II says that it is up, or waiting for clients."""
        self._command_node("pcp_attach_node", node_id)
        self.wait_for_node(node_id, "up", within_s=20)

    def node_info(self, node_id: int) -> NodeInfo:
        """Ask for one node, again if no answer comes, as happens up to 4.7.2.

        No answer comes, either, when a change of a node ends the PCP process that was asked.
        """
        for _ in range(_PCP_TRIES):
            try:
                completed = self.pcp("pcp_node_info", "-v", "-n", str(node_id))
            except CommandTimeoutError:
                continue
            if _ENDED in completed.output:
                self.wait_until_settled()
                continue
            return _parsed_node_info(completed)
        raise PcpError(f"pcp_node_info {node_id} did not answer {_PCP_TRIES} times")

    def wait_for_node(self, node_id: int, status: str, *, within_s: float = 30) -> NodeInfo:
        """Wait for a status of a node: "down", "waiting", or "up", which includes waiting."""

        def reached() -> NodeInfo | None:
            info = self.node_info(node_id)
            fits = info.is_attached if status == "up" else info.status == status
            return info if fits else None

        return until(
            reached,
            within_s=within_s,
            what=f"node {node_id} to be {status}",
            tolerating=(PcpError, CommandError),
            every_s=0.1,
        )

    def wait_until_settled(self) -> None:
        """Wait for the end of a failover or failback, when the PCP process is restarted.

        Before that it may abort a command, and Pgpool-II 4.3 may not notice that the next node is
        lost.
        """

        def is_settled() -> bool:
            *_, begun_or_done, since = ["done", *_NODE_CHANGE.split(self.log_text())]
            return begun_or_done == "done" and "PCP process: " in since

        until(is_settled, within_s=20, what="the PCP process to be started")

    def primary_id(self) -> int | None:
        """Return the attached node that Pgpool-II takes for the primary, if any."""
        for server in self.servers:
            info = self.node_info(server.node_id)
            if info.is_attached and info.role in {"primary", "main"}:
                return server.node_id
        return None

    def sql(self, query: str, *, database: str = "postgres") -> list[tuple[str, ...]]:
        """Return the rows of a query that goes through Pgpool-II, each value as text."""
        psql = self.servers[0].installation.program("psql")
        where = ["-w", "-d", self.conninfo(dbname=database)]
        return rows_of(self.machine.run([psql, *where, *OUTPUT_OPTIONS], stdin=query).stdout)

    def conninfo(self, **parameters: str) -> str:
        """Return a libpq connection string that leads through Pgpool-II."""
        host, port = self.machine.address, str(self.place.port)
        return conninfo(host=host, port=port, user=SUPERUSER, **parameters)

    def pcp(
        self, program: str, *arguments: str, timeout_s: float = _PCP_ANSWERS_WITHIN_S
    ) -> Completed:
        """Run a pcp_* program over a connection of its own, and return its output."""
        where = ["-h", self.place.pcp_host, "-p", str(self.place.pcp_port), "-U", PCP_USER, "-w"]
        env = {"PCPPASSFILE": str(self.place.pcppass)}
        argv = [program, *where, *arguments]
        return self.machine.run(argv, env=env, timeout_s=timeout_s, check=False)

    def log_text(self) -> str:
        log = self.machine.path(self.place.log)
        return log.read_text(errors="replace") if log.exists() else ""

    def _pgpool(self) -> list[str]:
        return ["pgpool", "-f", f"{self.place.directory}/pgpool.conf"]

    def _start_argv(self, *, keep_status: bool) -> list[str]:
        directory = self.place.directory
        files = ["-F", f"{directory}/pcp.conf", "-a", f"{directory}/pool_hba.conf"]
        return [*self._pgpool(), *files, *([] if keep_status else ["-D"]), "-n"]

    def _command_node(self, program: str, node_id: int) -> None:
        self.wait_until_settled()
        completed = self.pcp(program, "-n", str(node_id))
        if "Command Successful" not in completed.output:
            raise PcpError(f"{program} {node_id}: {completed.output.strip()}")

    def _is_ready(self) -> bool:
        if not self.is_running:
            raise RuntimeError(f"Pgpool-II ended:\n{self.log_text()[-_LOG_TAIL_CHARACTERS:]}")
        pg_isready = self.servers[0].installation.program("pg_isready")
        where = ["-q", "-h", self.machine.address, "-p", str(self.place.port)]
        answers = self.machine.run([pg_isready, *where], check=False).returncode == 0
        return answers and self.primary_id() is not None

    def _write_files(self) -> None:
        place = self.place
        write_password_file(self.machine)
        self.machine.make_directory(place.sockets)
        texts = {
            "pgpool.conf": pgpool_conf(place, self.settings, self.servers),
            "pool_hba.conf": pool_hba_conf(self.machine, self.servers),
            "pool_passwd": pool_passwd(),
            "pcp.conf": pcp_conf(),
            place.pcppass.name: pcppass(),
        }
        for name, text in texts.items():
            self.machine.write_file(place.directory / name, text)
        script = failover_script(self.servers[0].installation)
        self.machine.write_file(place.failover_script, script, mode=0o700)


def _parsed_node_info(completed: Completed) -> NodeInfo:
    """Read the labelled form, which is the same in all releases except for added lines."""
    lines = (line.partition(":") for line in completed.stdout.splitlines())
    fields = {label.strip(): value.strip() for label, _, value in lines}
    if "Status Name" not in fields:
        raise PcpError(completed.output.strip())
    return NodeInfo(
        hostname=fields["Hostname"],
        port=int(fields["Port"]),
        status=fields["Status Name"],
        pg_status=fields.get("Backend Status Name", "unknown"),
        role=fields["Role"],
        pg_role=fields.get("Backend Role", "unknown"),
        replication_delay=fields.get("Replication Delay", ""),
        replication_state=fields.get("Replication State", ""),
    )
