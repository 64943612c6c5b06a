"""A primary and a target on hosts of their own, and the runner's part of an incremental backup."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from pgpool_recovery.domain.wal import (
    History,
    Point,
    TimelineId,
    parse_history,
    parse_lsn,
)
from pgpool_recovery.facts.facts import Base, RelationSegment
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.plan.summaries import (
    coverage_parameters,
    left_out,
    limit_parameters,
    newly_left_out,
    read_summaries,
    reject_coverage,
)
from pgpool_recovery.postgres.connection import connect
from tests.harness.cluster import ClusterPlan
from tests.harness.cluster_site import Site, build_servers
from tests.harness.contents import table_sums, wait_for_replay
from tests.harness.keeper import Child
from tests.harness.network import Network
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.psql import quoted
from tests.harness.system import system_with
from tests.harness.template import REPLICATION_USER
from tests.harness.until import until
from tests.harness.workspace import Workspace

DRIVER = Path(__file__).with_name("driver.py")
SUMMARIES = {
    "summarize_wal": "on",
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
    "autovacuum": "off",  # The test alone decides what happens in the gap.
}
BEGIN_WITHIN_S = 60
APPLY_WITHIN_S = 120
SILENCE_S = 20
MAX_BEGINNINGS = 5
CONNECTABLE = "SELECT datname FROM pg_database WHERE datallowconn AND datname <> 'template1'"
_numbers = itertools.count(1)


class BackupFailed(Exception):
    """The driver has failed; `record` is its error as a JSON object."""

    def __init__(self, record: dict[str, Any]) -> None:
        super().__init__(json.dumps(record, indent=1))
        self.record = record


@contextmanager
def servers_on_hosts(
    workspace: Workspace,
    product: Product,
    major: int,
    *,
    standbys: int = 1,
    settings: Mapping[str, str] | None = None,
) -> Iterator[list[Server]]:
    """Yield a primary and standbys that summarize their WAL, without Pgpool-II."""
    system = system_with(major)
    names = [f"node{number}" for number in range(standbys + 1)]
    plan = ClusterPlan(
        standbys=standbys,
        postgresql_major=major,
        settings=SUMMARIES | dict(settings or {}),
        initdb_options=("--data-checksums",),
    )
    with Network(names, systems=dict.fromkeys(names, system)) as network:
        hosts = [network.host(name) for name in names]
        site = Site(hosts, hosts[0], hosts[0], system.installation(major))
        product.command_on(system)
        yield build_servers(workspace, plan, site)


@dataclass
class Recovery:
    """One recovery of a target by the method incremental, as a runner does it.

    `without` names the corrections among C1, C2 and C3 that are disabled.
    """

    primary: Server
    target: Server
    product: Product
    without: Sequence[str] = ()
    verify_pages: bool = False
    locations: Mapping[int, str] = field(default_factory=dict)
    password: str | None = None

    @property
    def directory(self) -> Path:
        """Where the target's data directory is while the recovery works on it."""
        return Path(f"{self.target.data_directory}.pgpool_recovery/new")

    def run(self) -> dict[str, Any]:
        """Carry out the recovery and start the target; return what the driver counted."""
        self.take_out()
        applied = self.back_up()
        self.put_back()
        self.target.start()
        return applied

    def take_out(self) -> None:
        """Reserve WAL and move the data directory into the workspace, unless that was done."""
        machine = self.target.machine
        if not machine.path(self.directory).exists():
            self.primary.drop_slot(self.target.slot)
            create = f"pg_create_physical_replication_slot('{self.target.slot}', true)"
            self.primary.execute(f"SELECT {create}")
            machine.make_directory(self.directory.parent, mode=0o700)
            machine.run(["mv", self.target.data_directory, self.directory])

    def put_back(self) -> None:
        """Configure the directory as a standby's, and move it back to its path."""
        machine = self.target.machine
        conninfo = self.primary.conninfo(REPLICATION_USER, application_name=self.target.name)
        settings = {"primary_conninfo": conninfo, "primary_slot_name": self.target.slot}
        lines = "".join(f"{name} = {quoted(text)}\n" for name, text in settings.items())
        auto = self.directory / "postgresql.auto.conf"
        machine.write_file(auto, machine.path(auto).read_text() + lines)
        machine.run(["mv", self.directory, self.target.data_directory])
        machine.run(["rmdir", self.directory.parent])

    def back_up(self) -> dict[str, Any]:
        """Begin a backup without the segments that must be left out, and apply it."""
        base = self.read_base()
        rejection = self.reject(base)
        if rejection is not None:
            raise LookupError(f"{rejection.message}: {rejection.detail}")
        segments: frozenset[RelationSegment] = frozenset()
        if "C2" not in self.without:
            segments = self.truncated(base.redo)
        for _ in range(MAX_BEGINNINGS):
            begun = self.begin(segments)
            more = newly_left_out(segments, self.truncated(base.redo, begun.start))
            if not more or "C2" in self.without:
                return begun.apply()
            begun.leave()
            segments |= more
        raise AssertionError("a relation is truncated again and again")

    def read_base(self) -> Base:
        """Return the base that the agent reads from the target's directory."""
        answer = self._spawn({"what": "read_base"}).wait_for("applied", APPLY_WITHIN_S)
        return Base(*(_point(point) for point in answer))

    def begin(
        self, segments: frozenset[RelationSegment], *, pause_at_bytes: int | None = None
    ) -> "Begun":
        """Make the driver begin a backup without the segments."""
        secret = {} if self.password is None else {"password": self.password}
        conninfo = conninfo_to_dict(self.primary.conninfo(REPLICATION_USER))
        driver = self._spawn(
            {
                "what": "back_up",
                "conninfo": {**conninfo, **secret},
                "left_out": [asdict(segment) for segment in segments],
                "locations": dict(self.locations),
                "verify_pages": self.verify_pages,
                "pause_at_bytes": pause_at_bytes,
                "silence_s": SILENCE_S,
            }
        )
        return Begun(driver, _point(driver.wait_for("begun", BEGIN_WITHIN_S)))

    def reject(self, base: Base) -> Rejection | None:
        """Return why the primary's summaries do not cover what the target lacks, or None."""
        with connect(_from_here(self.primary)) as connection:
            rows = connection.rows("summary_coverage", **coverage_parameters(base.redo))
        return reject_coverage(read_summaries(rows), base.redo, history_of(self.primary))

    def truncated(self, redo: Point, before: Point | None = None) -> frozenset[RelationSegment]:
        """Return the segments that were truncated on the primary since a point."""
        with connect(_from_here(self.primary)) as connection:
            return left_out(
                connection.rows("limit_blocks", **limit_parameters(redo, before=before))
            )

    def changed_bytes(self, redo: Point) -> int:
        """Return how many bytes have changed on the primary since a point."""
        with connect(_from_here(self.primary)) as connection:
            bytes_: int = connection.row("changed_blocks", **coverage_parameters(redo))["bytes"]
        return bytes_

    def checksum(self) -> str:
        """Return a checksum of all files of the data directory, wherever that is now."""
        machine = self.target.machine
        is_out = machine.path(self.directory).exists()
        directory = self.directory if is_out else self.target.data_directory
        script = "find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum"
        return machine.run(["sh", "-c", script], cwd=directory).stdout

    def _spawn(self, wish: dict[str, Any]) -> "Driver":
        machine = self.target.machine
        conversation = machine.home / f"conversation-{next(_numbers)}"
        machine.make_directory(conversation)
        machine.write_file(conversation / DRIVER.name, DRIVER.read_text())
        python = self.product.command_on(machine.system).with_name("python")
        whole = {
            **wish,
            "conversation": str(conversation),
            "data_directory": str(self.directory),
            "bin_directory": str(self.target.installation.bindir),
            "without": list(self.without),
        }
        argv = [str(python), str(conversation / DRIVER.name), json.dumps(whole)]
        log = conversation / "log"
        return Driver(machine.path(conversation), machine.spawn(argv, log=log))


@dataclass
class Driver:
    """The driver on the target's host, and the directory through which it communicates."""

    conversation: Path
    child: Child

    def wait_for(self, name: str, within_s: float) -> Any:
        """Return what the driver writes under that name; raise if it fails or ends instead."""
        return until(lambda: self._look_for(name), within_s=within_s, what=f"{name} of the driver")[
            0
        ]

    def _look_for(self, name: str) -> tuple[Any] | None:
        is_alive = self.child.is_alive
        file, failed = self.conversation / name, self.conversation / "failed"
        if file.exists():
            return (json.loads(file.read_text()),)
        if failed.exists():
            raise BackupFailed(json.loads(failed.read_text()))
        if not is_alive:
            raise RuntimeError((self.conversation / "log").read_text())
        return None


@dataclass
class Begun:
    """A backup that has begun."""

    driver: Driver
    start: Point

    def apply(self) -> dict[str, Any]:
        """Make the driver apply the backup; return its counts."""
        (self.driver.conversation / "go").touch()
        applied: dict[str, Any] = self.driver.wait_for("applied", APPLY_WITHIN_S)
        return applied

    def leave(self) -> None:
        """Make the driver abandon the backup."""
        (self.driver.conversation / "leave").touch()
        self.driver.wait_for("applied", APPLY_WITHIN_S)

    def go_on_to_the_middle(self) -> int:
        """Make the driver apply the backup until it pauses; return the bytes received by then."""
        (self.driver.conversation / "go").touch()
        received_bytes: int = self.driver.wait_for("paused", APPLY_WITHIN_S)
        return received_bytes

    def resume(self) -> dict[str, Any]:
        """Make the driver go on from its pause to the end; return its counts."""
        (self.driver.conversation / "resume").touch()
        applied: dict[str, Any] = self.driver.wait_for("applied", APPLY_WITHIN_S)
        return applied

    def kill_in_the_middle(self) -> int:
        """Kill the driver at its pause; return the bytes received by then."""
        received_bytes = self.go_on_to_the_middle()
        self.driver.child.kill()
        self.driver.child.wait(10)
        return received_bytes


def history_of(primary: Server) -> History:
    """Return the history of a primary's timeline, read from the primary's own file."""
    current = TimelineId(int(primary.sql("SELECT timeline_id FROM pg_control_checkpoint()")[0][0]))
    if current == 1:
        return History(current)
    name = f"pg_wal/{current:08X}.history"
    return parse_history(primary.sql(f"SELECT pg_read_file('{name}')")[0][0], current)


def restart_cleanly(primary: Server, standby: Server) -> None:
    """Restart a standby from a new REDO, with everything written before it in its files."""
    primary.execute("CHECKPOINT;")
    wait_for_replay(standby, primary.wal_position())
    standby.execute("CHECKPOINT;")
    standby.restart()


def make_gap(primary: Server, target: Server) -> None:
    """Make the primary remove the WAL that a stopped target needs."""
    primary.drop_slot(target.slot)
    needed = target.controldata()["Latest checkpoint's REDO WAL file"]

    def is_gone() -> bool:
        primary.execute("SELECT pg_switch_wal(); CHECKPOINT;")
        return not primary.sql(f"SELECT FROM pg_ls_waldir() WHERE name = '{needed}'")

    until(is_gone, within_s=30, what=f"{needed} to be removed", every_s=0.2)


def assert_equal(primary: Server, target: Server) -> None:
    """Assert that all tables are equal, and that the target's indexes and heaps are sound.

    The target is read first. Reading on the primary may set hint bits there, and their full page
    images would replace wrong pages of the target.
    """
    wait_for_replay(target, primary.wal_position())
    found = table_sums(target)
    assert found == table_sums(primary)
    program = target.installation.program("pg_amcheck")
    where = ["-h", str(target.machine.socket_directory), "-p", str(target.port), "-U", "postgres"]
    primary_databases = [name for (name,) in primary.sql(CONNECTABLE)]
    for database in primary_databases:
        primary.execute("CREATE EXTENSION IF NOT EXISTS amcheck", database=database)
    position = primary.wal_position()
    until(
        lambda: target.sql(f"SELECT pg_last_wal_replay_lsn() >= '{position}'") == [("t",)],
        within_s=30,
        what="the target to have amcheck",
    )
    target.machine.run([program, *where, "--all", "--heapallindexed"], timeout_s=120)


def _from_here(server: Server) -> dict[str, str]:
    conninfo = conninfo_to_dict(server.conninfo_from_here(dbname="postgres"))
    return {name: str(value) for name, value in conninfo.items()}


def _point(value: dict[str, Any]) -> Point:
    return Point(TimelineId(value["timeline"]), parse_lsn(value["lsn"]))
